//go:build !linux

package wire

import "syscall"

// hungUp reports whether the other side of a socket has closed it and left
// nothing unread.
func hungUp(fd int) bool {
	var b [1]byte
	n, _, err := syscall.Recvfrom(fd, b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return n == 0 && err == nil || err == syscall.ECONNRESET
}
