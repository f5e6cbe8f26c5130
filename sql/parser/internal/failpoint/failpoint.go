// Package failpoint clears the environment variables by which the failpoint
// module below TiDB's parser would open an HTTP listener, or end the process,
// while it initialises.
//
// Packages initialise in the order of their import paths as soon as their own
// imports have: this one needs only os, and its path sorts before
// github.com/pingcap, so it runs first. A test of sql/parser holds that.
package failpoint

import "os"

// Cleared says that the environment was cleared; naming it keeps the import.
var Cleared = clearEnv()

func clearEnv() bool {
	for _, name := range []string{"GO_FAILPOINTS", "GO_FAILPOINTS_HTTP"} {
		if err := os.Unsetenv(name); err != nil {
			return false
		}
	}
	return true
}
