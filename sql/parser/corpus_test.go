package parser

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/helios-sql/helios-sql/sql/parser/ast"
)

// A sample is one statement of the corpus.
type sample struct{ name, sql string }

// corpus reads testdata/corpus: statements after lines "--@ name".
func corpus(t testing.TB) []sample {
	files, err := filepath.Glob("testdata/corpus/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("corpus: %v", err)
	}
	var out []sample
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split("\n"+string(text), "\n--@ ")[1:] {
			name, sql, _ := strings.Cut(part, "\n")
			out = append(out, sample{filepath.Base(f) + "/" + name, sql})
		}
	}
	return out
}

// walkExprs calls f for every expression of a tree.
func walkExprs(node any, f func(ast.Expr)) { walkValue(reflect.ValueOf(node), f) }

func walkValue(v reflect.Value, f func(ast.Expr)) {
	switch v.Kind() {
	case reflect.Interface:
		walkValue(v.Elem(), f)
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		switch n := v.Interface().(type) {
		case *ast.ColumnRef, *ast.Const, *ast.Param, *ast.Op, *ast.Logic, *ast.Test, *ast.Distinct, *ast.Between, *ast.LikeExpr,
			*ast.In, *ast.Subquery, *ast.AnyArray, *ast.Case, *ast.Call, *ast.Cast, *ast.Array, *ast.RowExpr, *ast.Subscript, *ast.FieldSelect, *ast.Collate:
			f(n.(ast.Expr))
		}
		walkValue(v.Elem(), f)
	case reflect.Struct:
		for i := range v.NumField() {
			walkValue(v.Field(i), f)
		}
	case reflect.Slice:
		for i := range v.Len() {
			walkValue(v.Index(i), f)
		}
	}
}
