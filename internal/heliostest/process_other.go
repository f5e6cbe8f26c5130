//go:build !linux

package heliostest

import "syscall"

// procAttr keeps Ctrl-C, which is for us, from the process.
func procAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
