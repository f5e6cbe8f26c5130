//go:build !cgo

package main

const cacheOffHeap = false
