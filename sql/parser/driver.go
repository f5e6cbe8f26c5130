package parser

import (
	"errors"
	"io"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/format"
)

// The TiDB parser makes its literals through hooks. Ours keep the value as the
// lexer read it: the only literals we send are strings, integers below 2^63,
// TRUE, FALSE and NULL.
func init() {
	ast.NewValueExpr = func(value any, _, _ string) ast.ValueExpr {
		if v, ok := value.(*literal); ok {
			return v
		}
		return &literal{value: value}
	}
	ast.NewParamMarkerExpr = func(offset int) ast.ParamMarkerExpr { return &marker{offset: offset} }
	ast.NewDecimal = refuseLiteral
	ast.NewHexLiteral = refuseLiteral
	ast.NewBitLiteral = refuseLiteral
}

var errLiteral = errors.New("unexpected literal")

func refuseLiteral(string) (any, error) { return nil, errLiteral }

// A literal is a value of TiDB's tree.
type literal struct {
	ast.TexprNode
	value any
}

// A marker is a ? of TiDB's tree; offset is where it stands in our text.
type marker struct {
	literal
	offset int
}

var (
	_ ast.ValueExpr       = (*literal)(nil)
	_ ast.ParamMarkerExpr = (*marker)(nil)
)

func (l *literal) SetValue(v any)           { l.value = v }
func (l *literal) GetValue() any            { return l.value }
func (l *literal) GetDatumString() string   { return l.GetString() }
func (l *literal) GetProjectionOffset() int { return -1 }
func (l *literal) SetProjectionOffset(int)  {}
func (l *literal) Format(io.Writer)         {}

// GetString gives a string's value; "" for any other literal.
func (l *literal) GetString() string {
	s, _ := l.value.(string)
	return s
}

// Restore is part of ast.Node; we never print TiDB's tree.
func (l *literal) Restore(*format.RestoreCtx) error { return errLiteral }

// Accept implements ast.Node.
func (l *literal) Accept(v ast.Visitor) (ast.Node, bool) {
	n, _ := v.Enter(l)
	return v.Leave(n)
}

func (m *marker) SetOrder(int) {}

// Accept implements ast.Node.
func (m *marker) Accept(v ast.Visitor) (ast.Node, bool) {
	n, _ := v.Enter(m)
	return v.Leave(n)
}
