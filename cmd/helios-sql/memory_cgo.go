//go:build cgo

package main

const cacheOffHeap = true
