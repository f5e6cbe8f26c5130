package main

import (
	"os"
	"runtime/debug"
)

// workingMemory is what the process may take beside its budget: the tick at
// hand, connections, the runtime and the program itself take about that.
const workingMemory = 112 << 20

// gcPercent lets the heap grow to several times what is live before it is
// collected, as long as the limit allows: what is live is small beside the budget.
const gcPercent = 400

// limitMemory lets the garbage collector run more often rather than let the
// heap grow past the budget. What of the budget lies on the heap: all of it, or
// without the block cache and memtables, when they are the C allocator's. GOMEMLIMIT wins.
func limitMemory(budget int64) {
	tameAllocator()
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	if cacheOffHeap {
		budget /= 4 // the cache of hot groups
	}
	debug.SetMemoryLimit(budget + workingMemory)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
