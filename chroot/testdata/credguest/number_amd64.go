package main

var number = map[string]uintptr{
	"getuid": 102, "getgid": 104, "setuid": 105, "setgid": 106, "geteuid": 107, "getegid": 108, "setreuid": 113, "setregid": 114, "getgroups": 115,
	"setgroups": 116, "setresuid": 117, "getresuid": 118, "setresgid": 119, "getresgid": 120, "setfsuid": 122, "setfsgid": 123, "capget": 125, "capset": 126,
	"prctl": 157, "umask": 95, "execve": 59, "execveat": 322, "open": 2, "creat": 85, "mkdir": 83, "symlink": 88, "mknod": 133,
	"openat": 257, "mkdirat": 258, "mknodat": 259, "symlinkat": 266, "openat2": 437, "getsockopt": 55, "faccessat": 269,
}

var number16 map[string]uintptr // there are none
