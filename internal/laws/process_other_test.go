//go:build !linux

package laws

import "syscall"

func procAttr() *syscall.SysProcAttr { return nil }
