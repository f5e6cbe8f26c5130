// Package docs holds the documentation to the code: what it names exists, and
// what it lists is complete.
package docs

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

var update = flag.Bool("update", false, "rewrite the lists in the documentation")

const root = "../.."

// declared finds what the packages of the repository declare: pkg.Name for
// functions, types, variables and constants, pkg.Type.Name for methods and fields.
func declared(t *testing.T) (names, packages map[string]bool) {
	t.Helper()
	names, packages = map[string]bool{}, map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); path != root && (strings.HasPrefix(n, ".") || n == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		pkg := f.Name.Name
		packages[pkg] = true
		for _, decl := range f.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				if d.Recv != nil {
					name = receiver(d.Recv.List[0].Type) + "." + name
				}
				names[pkg+"."+name] = true
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					addSpec(names, pkg, spec)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names, packages
}

func addSpec(names map[string]bool, pkg string, spec ast.Spec) {
	switch s := spec.(type) {
	case *ast.ValueSpec:
		for _, n := range s.Names {
			names[pkg+"."+n.Name] = true
		}
	case *ast.TypeSpec:
		names[pkg+"."+s.Name.Name] = true
		var members *ast.FieldList
		switch x := s.Type.(type) {
		case *ast.StructType:
			members = x.Fields
		case *ast.InterfaceType:
			members = x.Methods
		}
		if members == nil {
			return
		}
		for _, m := range members.List {
			for _, n := range m.Names {
				names[pkg+"."+s.Name.Name+"."+n.Name] = true
			}
		}
	}
}

func receiver(t ast.Expr) string {
	switch x := t.(type) {
	case *ast.StarExpr:
		return receiver(x.X)
	case *ast.IndexExpr:
		return receiver(x.X)
	case *ast.Ident:
		return x.Name
	}
	return ""
}

func pages(t *testing.T) map[string]string {
	t.Helper()
	found, err := filepath.Glob(root + "/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, path := range append(found, root+"/README.md", root+"/CONTRIBUTING.md") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[strings.TrimPrefix(path, root+"/")] = string(text)
	}
	return out
}

var (
	code   = regexp.MustCompile("`([^`\n]+)`")
	goName = regexp.MustCompile(`^([a-z][a-z0-9]*)\.(?:\(\*?(\w+)\)\.(\w+)|(\w+(?:\.\w+)?))(?:\(.*\))?$`)
	goFile = regexp.MustCompile(`^[\w./-]+/[\w.-]+\.(?:go|sql|sh|yml)$`)
	link   = regexp.MustCompile(`\]\(([^)#\s]+)(?:#[^)]*)?\)`)
	fence  = regexp.MustCompile("(?s)\n```.*?\n```")
)

// TestNames checks the Go names, files and links of every page.
func TestNames(t *testing.T) {
	names, packages := declared(t)
	for page, text := range pages(t) {
		text = fence.ReplaceAllString(text, "")
		for _, m := range code.FindAllStringSubmatch(text, -1) {
			if goFile.MatchString(m[1]) {
				if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
					t.Errorf("%s: there is no %s", page, m[1])
				}
				continue
			}
			g := goName.FindStringSubmatch(m[1])
			if g == nil || !packages[g[1]] || page != "docs/architecture.md" && g[1] == "helios" {
				continue
			}
			name := g[1] + "." + g[4]
			if g[2] != "" {
				name = g[1] + "." + g[2] + "." + g[3]
			}
			if !names[name] {
				t.Errorf("%s: there is no %s", page, m[1])
			}
		}
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s: the link to %s is broken", page, m[1])
			}
		}
	}
}

// TestFunctions holds the lists of functions and aggregates in docs/sql.md to the catalog.
func TestFunctions(t *testing.T) {
	functions, aggregates := map[string]bool{}, map[string]bool{}
	scalar.AllFuncs(func(f *scalar.Func) {
		// A cast's function is called like its type, and written as a cast.
		if _, cast := types.OIDByName(f.Name); !f.Operator && f.Name != "" && !cast && !strings.ContainsAny(f.Name, " (") && scalar.Functions(f.Name) != nil {
			functions[f.Name] = true
		}
	})
	scalar.AllAggregates(func(f *scalar.AggFunc) { aggregates[f.Name] = true })
	checkList(t, "functions", functions)
	checkList(t, "aggregates", aggregates)
}

// checkList compares what stands between the markers of a list in docs/sql.md.
func checkList(t *testing.T, list string, names map[string]bool) {
	t.Helper()
	const page = root + "/docs/sql.md"
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- begin "+list+" -->\n", "<!-- end "+list+" -->"
	before, rest, ok1 := strings.Cut(string(b), begin)
	old, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("docs/sql.md has no list of %s", list)
	}
	want := "`" + strings.Join(slices.Sorted(maps.Keys(names)), "` `") + "`\n"
	if old == want {
		return
	}
	if !*update {
		t.Errorf("the list of %s in docs/sql.md is not the catalog's; go test ./internal/docs -update rewrites it", list)
		return
	}
	if err := os.WriteFile(page, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestSettings checks that every setting of serve, every run-time parameter of
// our own and every option of a source is documented.
func TestSettings(t *testing.T) {
	for _, c := range []struct{ file, page, pattern, prefix string }{
		{"cmd/helios-sql/config.go", "docs/operations.md", "`name:\"([a-z-]+)\"", "`--"},
		{"sql/engine/settings.go", "docs/sql.md", `"(helios\.[a-z_]+)":`, "`"},
		{"connectors/cdc/config.go", "docs/operations.md", `(?m)^\t"([a-z_]+)":\s`, "`"},
		{"sql/engine/system.go", "docs/operations.md", `sr\.add\("helios", "([a-z]+)"`, "`helios."},
	} {
		source, err := os.ReadFile(filepath.Join(root, c.file))
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(root, c.page))
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(c.pattern).FindAllStringSubmatch(string(source), -1)
		if len(found) == 0 {
			t.Errorf("%s: nothing found by %s", c.file, c.pattern)
		}
		for _, m := range found {
			if !strings.Contains(string(text), c.prefix+m[1]+"`") {
				t.Errorf("%s does not have %s%s`", c.page, c.prefix, m[1])
			}
		}
	}
}
