package laws

import "syscall"

// procAttr lets a server end with the test's process.
func procAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
