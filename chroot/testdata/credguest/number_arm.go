package main

var number = map[string]uintptr{
	"getuid": 199, "getgid": 200, "geteuid": 201, "getegid": 202, "setreuid": 203, "setregid": 204, "getgroups": 205, "setgroups": 206, "setresuid": 208,
	"getresuid": 209, "setresgid": 210, "getresgid": 211, "setuid": 213, "setgid": 214, "setfsuid": 215, "setfsgid": 216, "capget": 184, "capset": 185,
	"prctl": 172, "umask": 60, "execve": 11, "execveat": 387, "open": 5, "creat": 8, "mkdir": 39, "symlink": 83, "mknod": 14,
	"openat": 322, "mkdirat": 323, "mknodat": 324, "symlinkat": 331, "openat2": 437, "getsockopt": 295, "faccessat": 334,
}

// number16 are the old forms.
var number16 = map[string]uintptr{
	"getuid": 24, "getgid": 47, "geteuid": 49, "getegid": 50, "setuid": 23, "setgid": 46, "setreuid": 70, "setregid": 71, "getgroups": 80, "setgroups": 81,
	"setresuid": 164, "getresuid": 165, "setresgid": 170, "getresgid": 171, "setfsuid": 138, "setfsgid": 139,
}
