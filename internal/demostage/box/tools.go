package main

// tools returns the tools of this directory by name: what the example tree and the tests of xtoo call.
func tools() map[string]tool {
	return map[string]tool{
		// files
		"cat": cat, "chmod": chmod, "chown": chown, "cp": cp, "install": install, "ln": ln, "ls": ls, "mkdir": mkdir,
		"mkfifo": mkfifo, "mv": mv, "rm": rm, "rmdir": rmdir, "stat": stat, "touch": touch,
		// processes and the machine
		"env": env, "id": id, "kill": kill, "seq": seq, "sleep": sleep, "uname": uname,
	}
}
