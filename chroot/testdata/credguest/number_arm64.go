package main

var number = map[string]uintptr{
	"setregid": 143, "setgid": 144, "setreuid": 145, "setuid": 146, "setresuid": 147, "getresuid": 148, "setresgid": 149, "getresgid": 150, "setfsuid": 151,
	"setfsgid": 152, "getgroups": 158, "setgroups": 159, "umask": 166, "prctl": 167, "getuid": 174, "geteuid": 175, "getgid": 176, "getegid": 177,
	"capget": 90, "capset": 91, "execve": 221, "execveat": 281, "openat": 56, "mkdirat": 34, "mknodat": 33, "symlinkat": 36, "openat2": 437, "getsockopt": 209, "faccessat": 48,
}

var number16 map[string]uintptr // there are none
