package main

// tools returns the tools of this directory by name.
func tools() map[string]tool {
	return map[string]tool{
		// names and links
		"basename": basename, "dirname": dirname, "readlink": readlink, "realpath": realpath, "which": which,
		// files
		"chgrp": chgrp, "chmod": chmod, "chown": chown, "cp": cp, "getfattr": getfattr, "install": install,
		"link": link, "ln": ln, "mkdir": mkdir, "mkfifo": mkfifo, "mknod": mknod, "rmdir": rmdir,
		"setfattr": setfattr, "stat": stat, "touch": touch, "truncate": truncate,
		// text
		"cut": cut, "grep": grep, "head": head, "seq": seq, "sha256sum": sha256sum, "sort": sortLines,
		"tail": tail, "tee": tee, "tr": tr, "uniq": uniq, "wc": wc, "yes": yes,
		// processes and the machine
		"arch": arch, "date": date, "env": env, "hostname": hostname, "id": id, "kill": kill, "nproc": nproc,
		"sleep": sleep, "sync": syncAll, "uname": uname, "whoami": whoami,
	}
}
