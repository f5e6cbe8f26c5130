package parser

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
)

// describe prints what Parse makes of a string: the trees or the error.
func describe(sql string) string {
	list, err := Parse(sql)
	if err != nil {
		return describeError(sql, err)
	}
	var sb strings.Builder
	for _, p := range list {
		if len(list) > 1 || p.NParams > 0 || p.Offset > 0 {
			fmt.Fprintf(&sb, "-- %q offset=%d params=%d\n", p.Text, p.Offset, p.NParams)
		}
		sb.WriteString(ast.Print(p.Stmt))
	}
	return sb.String()
}

// describeError prints an error, and where it stands in the text.
func describeError(sql string, err error) string {
	var e *pgerr.Error
	if !errors.As(err, &e) {
		return "not a pgerr.Error: " + err.Error() + "\n"
	}
	out := fmt.Sprintf("error %s: %s\n", e.Code, e.Message)
	if e.Hint != "" {
		out += "hint: " + e.Hint + "\n"
	}
	if e.Position > 0 {
		r := []rune(sql)
		out += fmt.Sprintf("at %d: %q\n", e.Position, string(r[min(e.Position-1, len(r)):min(e.Position+11, len(r))]))
	}
	return out
}

func TestGolden(t *testing.T) {
	datadriven.Walk(t, "testdata/golden", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "parse":
				return describe(d.Input)
			case "errors": // one statement a line; all must fail
				var sb strings.Builder
				for _, line := range strings.Split(d.Input, "\n") {
					if _, err := Parse(line); err != nil {
						sb.WriteString(line + "\n  " + strings.ReplaceAll(strings.TrimSpace(describeError(line, err)), "\n", "\n  ") + "\n")
					} else {
						sb.WriteString(line + "\n  ACCEPTED\n")
					}
				}
				return sb.String()
			case "expr":
				e, err := ParseExpr(d.Input)
				if err != nil {
					return describeError(d.Input, err)
				}
				return ast.Print(e)
			case "types": // one type a line
				var sb strings.Builder
				for _, line := range strings.Split(d.Input, "\n") {
					ty, err := ParseTypeName(line)
					if err != nil {
						sb.WriteString(line + ": " + describeError(line, err))
						continue
					}
					sb.WriteString(line + ": " + ast.Print(ty))
				}
				return sb.String()
			case "quote":
				return QuoteIdent(strings.TrimSuffix(d.Input, "\n")) + "\n"
			}
			t.Fatalf("unknown command %s", d.Cmd)
			return ""
		})
	})
}
