package scalar

import (
	"bytes"
	"testing"

	"github.com/helios-sql/helios-sql/sql/types"
)

var (
	intT = types.T(types.Int4)
	c0   = &Column{Index: 0, Typ: intT, Name: "a"}
	c1   = &Column{Index: 1, Typ: intT, Name: "b"}
	one  = &Const{Typ: intT, Value: types.DInt(1)}
)

func op(id string, args ...Expr) *Call {
	f := FuncByID(id)
	return &Call{Fn: f, Args: args, Typ: types.T(f.Ret)}
}

func TestString(t *testing.T) {
	for _, c := range []struct {
		e    Expr
		want string
	}{
		{op("int4pl(int4,int4)", c0, one), "(a#0 + 1)"},
		{op("int4um(int4)", c1), "(- b#1)"},
		{op("io(int4,text)", c0), "a#0::text"},
		{op("lower(text)", &Const{Typ: types.T(types.Text), Value: types.DString("it's")}), "lower('it''s')"},
		{&Logic{Or: true, Args: []Expr{&IsNull{X: c0, Neg: true}, &Not{X: &IsBool{X: op("int4eq(int4,int4)", c0, c1), Want: true}}}},
			"((a#0 IS NOT NULL) OR (NOT ((a#0 = b#1) IS TRUE)))"},
		{&Case{Whens: []When{{op("int4eq(int4,int4)", c0, one), c1}}, Else: one, Typ: intT}, "CASE WHEN (a#0 = 1) THEN b#1 ELSE 1 END"},
		{&InList{X: c0, List: []types.Datum{types.DInt(1), types.DInt(-2)}, HasNull: true, Neg: true}, "(a#0 NOT IN (1, (-2), NULL))"},
		{&Const{Typ: types.T(types.Date), Value: types.DInt(0)}, "'2000-01-01'::date"},
	} {
		if got := String(c.e); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestFingerprint(t *testing.T) {
	renamed := &Column{Index: 0, Typ: intT, Name: "z"}
	if !Equal(op("int4pl(int4,int4)", c0, one), op("int4pl(int4,int4)", renamed, one)) {
		t.Error("a column's name counts")
	}
	distinct := []Expr{
		c0, c1, one, op("int4pl(int4,int4)", c0, one), op("int4pl(int4,int4)", one, c0), op("int4mi(int4,int4)", c0, one),
		&Const{Typ: types.T(types.Int8), Value: types.DInt(1)}, &Const{Typ: intT, Value: types.NullDatum},
		&IsNull{X: c0}, &IsNull{X: c0, Neg: true}, &Coalesce{Args: []Expr{c0, c1}, Typ: intT}, &MinMax{Args: []Expr{c0, c1}, Typ: intT},
		&Logic{Args: []Expr{c0, c1}}, &Logic{Or: true, Args: []Expr{c0, c1}}, &Param{N: 1, Typ: intT},
	}
	for i, a := range distinct {
		for j, b := range distinct {
			if got := bytes.Equal(AppendFingerprint(nil, a), AppendFingerprint(nil, b)); got != (i == j) {
				t.Errorf("%s and %s: same %v", String(a), String(b), got)
			}
		}
	}
}

func TestNullRejecting(t *testing.T) {
	eq := op("int4eq(int4,int4)", c0, c1)
	null := &IsNull{X: c0}
	for _, c := range []struct {
		e    Expr
		cols ColSet
		want bool
	}{
		{eq, Cols(0), true}, {eq, Cols(2), false}, {null, Cols(0), false}, {&IsNull{X: c0, Neg: true}, Cols(0), true},
		{&Not{X: null}, Cols(0), true}, {&Not{X: eq}, Cols(1), true},
		{&Logic{Args: []Expr{null, eq}}, Cols(1), true}, {&Logic{Or: true, Args: []Expr{null, eq}}, Cols(0), false},
		{&Logic{Or: true, Args: []Expr{eq, &IsNull{X: c1, Neg: true}}}, Cols(1), true},
		{&IsBool{X: eq, Want: true}, Cols(0), true}, {&IsBool{X: eq, Want: true, Neg: true}, Cols(0), false},
		{&Coalesce{Args: []Expr{c0, one}, Typ: intT}, Cols(0), false}, {&Distinct{L: c0, R: one, Eq: eq.Fn}, Cols(0), false},
	} {
		if got := NullRejecting(c.e, c.cols); got != c.want {
			t.Errorf("%s: %v", String(c.e), got)
		}
	}
}

func TestRewriteAndColumns(t *testing.T) {
	e := &Case{Whens: []When{{op("int4eq(int4,int4)", c0, one), c1}}, Typ: intT}
	m := MapColumns(e, func(i int) int { return i + 64 })
	if s := Columns(m); s.Len() != 2 || !s.Has(64) || !s.Has(65) {
		t.Errorf("columns of %s", String(m))
	}
	if MapColumns(e, func(i int) int { return i }) != Expr(e) {
		t.Error("an unchanged expression is copied")
	}
	if CanError(op("int4eq(int4,int4)", c0, c1)) || !CanError(op("int4div(int4,int4)", c0, c1)) {
		t.Error("CanError")
	}
	if IsConst(op("now()")) || !IsConst(op("int4pl(int4,int4)", one, one)) {
		t.Error("IsConst")
	}
}

// TestCanErrorByConstants looks at patterns of LIKE and units of EXTRACT.
func TestCanErrorByConstants(t *testing.T) {
	text := func(s string) Expr { return &Const{Typ: types.T(types.Text), Value: types.DString(s)} }
	like := func(pattern Expr) Expr { return op("textlike(text,text)", c0, pattern) }
	extract := func(unit string) Expr { return op("extract(text,timestamp)", text(unit), c0) }
	for _, c := range []struct {
		e    Expr
		want bool
	}{
		{like(text("a%")), false}, {like(text(`a\%`)), false}, {like(text(`a\\`)), false}, {like(text(`a\`)), true}, {like(text(`a\\\`)), true},
		{like(c1), true}, {extract("year"), false}, {extract("fortnight"), true}, {op("extract(text,time)", text("year"), c0), true},
		{op("textcat(text,text)", c0, text("x")), false}, {op("int2(int4)", c0), true}, {op("int8(int4)", c0), false},
	} {
		if got := CanError(c.e); got != c.want {
			t.Errorf("CanError(%s) = %v", String(c.e), got)
		}
	}
}
