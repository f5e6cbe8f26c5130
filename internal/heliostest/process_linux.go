package heliostest

import "syscall"

// procAttr keeps Ctrl-C, which is for us, from the process, and lets it end with us.
func procAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
