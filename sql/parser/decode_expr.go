package parser

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	tidb "github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/opcode"

	"github.com/helios-sql/helios-sql/sql/parser/ast"
)

// A decoder turns TiDB's tree of our text into ours: the nodes behind reserved
// names get their parts, the rest is built here with positions in the user's text.
type decoder struct {
	p   *reader
	pos sourceMap
}

// impossible is a tree that our own text cannot have produced.
type impossible string

func (d *decoder) bug(format string, args ...any) { panic(impossible(fmt.Sprintf(format, args...))) }

// at gives the position of a node of TiDB's.
func (d *decoder) at(n tidb.Node) ast.Pos { return d.atOffset(n.OriginTextPosition()) }

func (d *decoder) origin(offset int) int32 {
	i := sort.Search(len(d.pos.starts), func(i int) bool { return int(d.pos.starts[i]) > offset }) - 1
	if i < 0 {
		d.bug("no position for offset %d", offset)
	}
	return d.pos.origins[i]
}

func (d *decoder) atOffset(offset int) ast.Pos { return d.p.at(d.origin(offset)) }

// note gives the node behind a reserved name, nil for any other name.
func (d *decoder) note(name string) any {
	if !strings.HasPrefix(name, mark) || name == mark {
		return nil
	}
	i, err := strconv.Atoi(name[len(mark):])
	if err != nil || i >= len(d.p.notes) {
		d.bug("reserved name %q", name)
	}
	return d.p.notes[i]
}

// A parts hands out the decoded arguments of a reserved call in order.
type parts struct {
	d    *decoder
	args []tidb.ExprNode
	i    int
}

func (a *parts) next() ast.Expr {
	if a.i >= len(a.args) {
		a.d.bug("too few parts")
	}
	a.i++
	return a.d.expr(a.args[a.i-1])
}

func (a *parts) more() bool { return a.i < len(a.args) }

func (a *parts) fill(es []ast.Expr) {
	for i := range es {
		es[i] = a.next()
	}
}

func (a *parts) sort(items []ast.SortBy) {
	for i := range items {
		items[i].X = a.next()
	}
}

// optional decodes the next part into e if e holds a place for one.
func (a *parts) optional(e *ast.Expr) {
	if *e != nil {
		*e = a.next()
	}
}

// special fills the node behind a reserved call.
func (d *decoder) special(node any, f *tidb.FuncCallExpr) ast.Expr {
	a := &parts{d: d, args: f.Args}
	var out ast.Expr
	switch n := node.(type) {
	case *ast.Const:
		out = n
	case *ast.ColumnRef:
		out = n
	case *ast.Default:
		out = n
	case *ast.Cast:
		n.X = a.next()
		out = n
	case *ast.Op:
		if len(a.args) == 2 {
			n.L = a.next()
		}
		n.R = a.next()
		out = n
	case *ast.Logic:
		a.fill(n.Args)
		out = n
	case *ast.Test:
		n.Arg = a.next()
		out = n
	case *ast.Distinct:
		n.L, n.R = a.next(), a.next()
		out = n
	case *ast.Between:
		n.X, n.Low, n.High = a.next(), a.next(), a.next()
		out = n
	case *ast.LikeExpr:
		n.X, n.Pattern = a.next(), a.next()
		if a.more() {
			n.Escape = a.next()
		}
		out = n
	case *ast.AnyArray:
		n.X, n.Array = a.next(), a.next()
		out = n
	case *ast.Subquery:
		if n.Kind != ast.ArraySubquery {
			n.X = a.next()
		}
		n.Query = d.subquery(a.args[a.i])
		a.i++
		out = n
	case *ast.Call:
		a.fill(n.Args)
		a.sort(n.OrderBy)
		a.sort(n.Within)
		a.optional(&n.Filter)
		out = n
	case *ast.Array:
		a.fill(n.Elems)
		out = n
	case *ast.RowExpr:
		a.fill(n.Elems)
		out = n
	case *ast.GroupingSet:
		a.fill(n.Elems)
		out = n
	case *ast.Subscript:
		n.X = a.next()
		a.optional(&n.Low)
		a.optional(&n.High)
		out = n
	case *ast.FieldSelect:
		n.X = a.next()
		out = n
	case *ast.Collate:
		n.X = a.next()
		out = n
	default:
		d.bug("reserved call of %T", node)
	}
	if a.more() {
		d.bug("too many parts of %T", node)
	}
	return out
}

var binaryOps = map[opcode.Op]string{
	opcode.GE: ">=", opcode.LE: "<=", opcode.EQ: "=", opcode.NE: "<>", opcode.LT: "<", opcode.GT: ">",
	opcode.Plus: "+", opcode.Minus: "-", opcode.Mul: "*", opcode.Div: "/", opcode.Mod: "%",
}

func (d *decoder) exprs(in []tidb.ExprNode) []ast.Expr {
	out := make([]ast.Expr, len(in))
	for i, e := range in {
		out[i] = d.expr(e)
	}
	return out
}

func (d *decoder) expr(n tidb.ExprNode) ast.Expr {
	switch x := n.(type) {
	case *tidb.ParenthesesExpr:
		return d.expr(x.Expr)
	case *marker:
		return d.param(x)
	case *literal:
		return d.literal(x)
	case *tidb.ColumnNameExpr:
		return d.column(x)
	case *tidb.RowExpr:
		return &ast.RowExpr{Pos: d.at(x), Elems: d.exprs(x.Values)}
	case *tidb.BinaryOperationExpr:
		return d.binary(x)
	case *tidb.UnaryOperationExpr:
		return d.unary(x)
	case *tidb.IsNullExpr:
		t := &ast.Test{Pos: d.at(x), Arg: d.expr(x.Expr)}
		if x.Not {
			t.Kind = ast.IsNotNull
		}
		return t
	case *tidb.IsTruthExpr:
		return d.truth(x)
	case *tidb.BetweenExpr:
		return &ast.Between{Pos: d.at(x), Not: x.Not, X: d.expr(x.Expr), Low: d.expr(x.Left), High: d.expr(x.Right)}
	case *tidb.PatternInExpr:
		in := &ast.In{Pos: d.at(x), Not: x.Not, X: d.expr(x.Expr)}
		if x.Sel != nil {
			in.Query = d.subquery(x.Sel)
		} else {
			in.List = d.exprs(x.List)
		}
		return in
	case *tidb.PatternLikeOrIlikeExpr:
		l := &ast.LikeExpr{Pos: d.at(x), Not: x.Not, X: d.expr(x.Expr), Pattern: d.expr(x.Pattern)}
		if !x.IsLike {
			l.Kind = ast.ILike
		}
		return l
	case *tidb.SubqueryExpr:
		return &ast.Subquery{Pos: d.at(x), Query: d.query(x.Query)}
	case *tidb.ExistsSubqueryExpr:
		return d.exists(x)
	case *tidb.CompareSubqueryExpr:
		s := &ast.Subquery{Pos: d.at(x), Kind: ast.AnySubquery, X: d.expr(x.L), Op: binaryOps[x.Op], Query: d.subquery(x.R)}
		if x.All {
			s.Kind = ast.AllSubquery
		}
		return s
	case *tidb.CaseExpr:
		return d.caseExpr(x)
	case *tidb.FuncCallExpr:
		if node := d.note(x.FnName.O); node != nil {
			return d.special(node, x)
		}
		c := &ast.Call{Pos: d.at(x), Args: d.exprs(x.Args)}
		if x.Schema.O != "" {
			c.Name = append(c.Name, x.Schema.O)
		}
		c.Name = append(c.Name, x.FnName.O)
		return c
	case *tidb.WindowFuncExpr:
		c, ok := d.expr(x.Args[0]).(*ast.Call)
		if !ok || c.Over == nil {
			d.bug("window function without a call")
		}
		if !x.Spec.OnlyAlias {
			d.window(c.Over, &x.Spec)
		}
		return c
	}
	d.bug("expression %T", n)
	return nil
}

func (d *decoder) param(m *marker) ast.Expr {
	pos := d.origin(m.offset)
	i := pos + 1
	for int(i) < len(d.p.src) && isDigit(d.p.src[i]) {
		i++
	}
	n, err := strconv.Atoi(d.p.src[pos+1 : i])
	if err != nil {
		d.bug("parameter at %d", pos)
	}
	return &ast.Param{Pos: d.p.at(pos), N: n}
}

func (d *decoder) literal(l *literal) ast.Expr {
	c := &ast.Const{Pos: d.at(l)}
	switch v := l.value.(type) {
	case nil:
	case bool:
		c.Kind, c.Text = ast.BoolConst, strconv.FormatBool(v)
	case int64:
		c.Kind, c.Text = ast.IntegerConst, strconv.FormatInt(v, 10)
	case string:
		c.Kind, c.Text = ast.StringConst, v
	default:
		d.bug("literal %T", v)
	}
	return c
}

func (d *decoder) column(x *tidb.ColumnNameExpr) ast.Expr {
	c := &ast.ColumnRef{Pos: d.at(x)}
	for _, s := range []string{x.Name.Schema.O, x.Name.Table.O, x.Name.Name.O} {
		if s != "" {
			c.Parts = append(c.Parts, s)
		}
	}
	return c
}

func (d *decoder) binary(x *tidb.BinaryOperationExpr) ast.Expr {
	if op, ok := binaryOps[x.Op]; ok {
		return &ast.Op{Pos: d.at(x), Name: op, L: d.expr(x.L), R: d.expr(x.R)}
	}
	kind := ast.And
	switch x.Op {
	case opcode.LogicAnd:
	case opcode.LogicOr:
		kind = ast.Or
	default:
		d.bug("operator %v", x.Op)
	}
	// a chain is left-deep, and each operand stands in parentheses
	operands := []tidb.ExprNode{x.R}
	l := x.L
	for {
		b, ok := l.(*tidb.BinaryOperationExpr)
		if !ok || b.Op != x.Op {
			break
		}
		operands = append(operands, b.R)
		l = b.L
	}
	operands = append(operands, l)
	logic := &ast.Logic{Pos: d.at(x), Kind: kind, Args: make([]ast.Expr, 0, len(operands))}
	for i := len(operands) - 1; i >= 0; i-- {
		logic.Args = append(logic.Args, d.expr(operands[i]))
	}
	return logic
}

// unary decodes a sign or NOT. A minus before a number becomes part of it, as
// PostgreSQL's grammar does it, so that the least int8 is an integer.
func (d *decoder) unary(x *tidb.UnaryOperationExpr) ast.Expr {
	v := d.expr(x.V)
	switch x.Op {
	case opcode.Not, opcode.Not2:
		return &ast.Logic{Pos: d.at(x), Kind: ast.Not, Args: []ast.Expr{v}}
	case opcode.Plus:
		return &ast.Op{Pos: d.at(x), Name: "+", R: v}
	case opcode.Minus:
		if c, ok := v.(*ast.Const); ok && (c.Kind == ast.IntegerConst || c.Kind == ast.NumericConst) {
			c.Pos = d.at(x)
			if rest, negative := strings.CutPrefix(c.Text, "-"); negative {
				c.Text = rest
			} else {
				c.Text = "-" + c.Text
			}
			return c
		}
		return &ast.Op{Pos: d.at(x), Name: "-", R: v}
	}
	d.bug("operator %v", x.Op)
	return nil
}

func (d *decoder) truth(x *tidb.IsTruthExpr) ast.Expr {
	t := &ast.Test{Pos: d.at(x), Arg: d.expr(x.Expr)}
	switch {
	case x.True == 1 && x.Not:
		t.Kind = ast.IsNotTrue
	case x.True == 1:
		t.Kind = ast.IsTrue
	case x.Not:
		t.Kind = ast.IsNotFalse
	default:
		t.Kind = ast.IsFalse
	}
	return t
}

// exists decodes EXISTS; TiDB folds a NOT before it into the node.
func (d *decoder) exists(x *tidb.ExistsSubqueryExpr) ast.Expr {
	s := &ast.Subquery{Pos: d.at(x), Kind: ast.ExistsSubquery, Query: d.subquery(x.Sel)}
	if x.Not {
		return &ast.Logic{Pos: d.at(x), Kind: ast.Not, Args: []ast.Expr{s}}
	}
	return s
}

func (d *decoder) caseExpr(x *tidb.CaseExpr) ast.Expr {
	c := &ast.Case{Pos: d.at(x)}
	if x.Value != nil {
		c.Arg = d.expr(x.Value)
	}
	for _, w := range x.WhenClauses {
		c.Whens = append(c.Whens, ast.When{Cond: d.expr(w.Expr), Result: d.expr(w.Result)})
	}
	if x.ElseClause != nil {
		c.Else = d.expr(x.ElseClause)
	}
	return c
}

// subquery decodes the query of a parenthesised subquery.
func (d *decoder) subquery(n tidb.ExprNode) *ast.Select {
	for {
		switch x := n.(type) {
		case *tidb.ParenthesesExpr:
			n = x.Expr
		case *tidb.SubqueryExpr:
			return d.query(x.Query)
		default:
			d.bug("subquery %T", n)
		}
	}
}
