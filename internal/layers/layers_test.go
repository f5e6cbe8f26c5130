// Package layers holds the doors between the packages: which may import
// which. To add a package or an edge is to change the design.
package layers

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/helios-sql/helios-sql/"

// doors lists for every package what it may import of this module. A package
// that ends in /... stands for all packages below it.
var doors = map[string][]string{
	"sql/pgerr":            {},
	"sql/types":            {"sql/pgerr"},
	"sql/zset":             {"sql/types"},
	"sql/parser/ast":       {},
	"sql/parser":           {"sql/parser/ast", "sql/parser/internal/...", "sql/pgerr"},
	"sql/catalog":          {"sql/pgerr", "sql/types"},
	"sql/session":          {"sql/types", "sql/pgerr"},
	"sql/planner/scalar":   {"sql/types", "sql/pgerr"},
	"sql/planner/rel":      {"sql/planner/scalar", "sql/types"},
	"sql/planner/binder":   {"sql/catalog", "sql/parser/ast", "sql/pgerr", "sql/planner/rel", "sql/planner/scalar", "sql/types"},
	"sql/planner/memo":     {"sql/planner/rel", "sql/planner/scalar", "sql/types"},
	"sql/planner/norm":     {"sql/planner/memo", "sql/planner/rel", "sql/planner/scalar", "sql/types"},
	"sql/planner/physical": {"sql/pgerr", "sql/planner/memo", "sql/planner/rel", "sql/planner/scalar", "sql/types"},
	// The façade hands constant folding to norm, which does not know eval.
	"sql/planner": {"sql/exec/eval", "sql/pgerr", "sql/planner/...", "sql/types"},

	"sql/exec/eval":    {"sql/pgerr", "sql/planner/scalar", "sql/types"},
	"sql/exec/op":      {"sql/exec/eval", "sql/pgerr", "sql/planner/physical", "sql/planner/rel", "sql/planner/scalar", "sql/types", "sql/zset"},
	"sql/exec/circuit": {"sql/exec/eval", "sql/exec/op", "sql/pgerr", "sql/planner/physical", "sql/planner/rel", "sql/planner/scalar", "sql/types", "sql/zset"},
	"sql/exec/output":  {"sql/pgerr", "sql/types", "sql/zset"},

	"connectors":              {"sql/pgerr", "sql/types", "sql/zset"},
	"connectors/cdc":          {"connectors", "sql/pgerr", "sql/types", "sql/zset"},
	"connectors/cdc/debezium": {"connectors/cdc", "sql/pgerr", "sql/types"},
	"state":                   {"sql/pgerr", "sql/types", "sql/zset"},
	"wire":                    {"sql/pgerr", "sql/session", "sql/types"},
	// The engine knows sources by their contract: not the connectors, not the protocol.
	"sql/engine": {"connectors", "sql/catalog", "sql/exec/...", "sql/parser", "sql/parser/ast", "sql/pgerr", "sql/planner", "sql/planner/...", "sql/session", "sql/types", "sql/zset", "state"},
}

// free packages may import everything: programs, the demonstration, and packages of tests.
var free = []string{"cmd/...", "examples", "internal/bench", "internal/demo", "internal/docs", "internal/layers", "internal/laws", "tests/...", "benchmarks/..."}

// testOnly packages are imported by tests and by free packages alone.
var testOnly = []string{"internal/faultproxy", "internal/heliostest", "internal/pgtest", "internal/plantest", "internal/testport", "sql/exec/internal/exectest"}

func TestDoors(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || hasModule(path)) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(dir)
		seen[pkg] = true
		checkFile(t, pkg, path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range seen {
		if _, ok := allowed(pkg); !ok && !matches(free, pkg) && !matches(testOnly, pkg) {
			t.Errorf("package %s is not in the table of doors", pkg)
		}
	}
}

// hasModule reports whether a directory is a module of its own.
func hasModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// allowed gives a package's doors. Internal packages of a package have those of
// the package, its internal packages among them.
func allowed(pkg string) ([]string, bool) {
	if d, ok := doors[pkg]; ok {
		return d, true
	}
	if i := strings.Index(pkg, "/internal/"); i >= 0 {
		return doors[pkg[:i]], doors[pkg[:i]] != nil
	}
	return nil, false
}

func matches(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		below, all := strings.CutSuffix(p, "/...")
		return p == pkg || all && strings.HasPrefix(pkg, below+"/")
	})
}

// checkFile holds a file's imports against the table. Tests may import more,
// but nothing that would make the packages below depend on those above.
func checkFile(t *testing.T, pkg, path string) {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Error(err)
		return
	}
	isTest := strings.HasSuffix(path, "_test.go")
	table, _ := allowed(pkg)
	for _, spec := range f.Imports {
		imp, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Error(err)
			continue
		}
		imp, own := strings.CutPrefix(imp, module)
		if !own || isTest || matches(free, pkg) || matches(testOnly, pkg) || matches(table, imp) {
			continue
		}
		t.Errorf("%s imports %s: no such door", pkg+"/"+filepath.Base(path), imp)
	}
}
