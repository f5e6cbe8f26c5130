//go:build cgo

package main

/*
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

// Left alone, glibc raises the size from which it gives memory back at once to
// that of the largest block ever freed, a memtable, and keeps a heap for each thread: the
// resident memory of a cache that is always in motion grows by half.
static void tame(void) {
#ifdef __GLIBC__
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
	mallopt(M_ARENA_MAX, 2);
#endif
}
*/
import "C"

const cacheOffHeap = true

// tameAllocator keeps the C allocator's resident memory near what is in use.
func tameAllocator() { C.tame() }
