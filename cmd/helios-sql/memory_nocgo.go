//go:build !cgo

package main

const cacheOffHeap = false

func tameAllocator() {}
