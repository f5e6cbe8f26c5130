package eval

import (
	"testing"

	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// orders is the row shape of tests and benchmarks: id, amount, status, note, created.
var orders = []types.Type{
	types.T(types.Int4), types.T(types.Numeric), types.T(types.Text), types.T(types.Text), types.T(types.Timestamp), types.T(types.Int8),
}

func row(t testing.TB, in []types.Type, texts ...string) types.Row {
	t.Helper()
	var r types.Row
	for i, s := range texts {
		if s == "NULL" {
			r = types.AppendNull(r)
			continue
		}
		d, err := types.ParseDatum(in[i], s)
		if err != nil {
			t.Fatal(err)
		}
		r = types.AppendDatum(r, in[i].OID, d)
	}
	return r
}

func order(t testing.TB) types.Row {
	return row(t, orders, "42", "19.99", "shipped", "a note of some sixty bytes, as an order of a shop might have it", "2024-02-29 12:34:56", "7")
}

func col(i int) *scalar.Column { return &scalar.Column{Index: i, Typ: orders[i]} }

func lit(t testing.TB, typ types.OID, text string) *scalar.Const {
	t.Helper()
	d, err := types.ParseDatum(types.T(typ), text)
	if err != nil {
		t.Fatal(err)
	}
	return &scalar.Const{Typ: types.T(typ), Value: d}
}

func call(id string, args ...scalar.Expr) *scalar.Call {
	fn := scalar.FuncByID(id)
	return &scalar.Call{Fn: fn, Args: args, Typ: types.T(fn.Ret)}
}

// TestEveryFunctionHasAnImplementation compiles a call of each.
func TestEveryFunctionHasAnImplementation(t *testing.T) {
	scalar.AllFuncs(func(f *scalar.Func) {
		c := &scalar.Call{Fn: f, Typ: types.T(f.Ret)}
		for _, a := range f.Args {
			if a == types.Any || a == types.AnyElement {
				a = types.Int4
			}
			c.Args = append(c.Args, &scalar.Const{Typ: types.T(a), Value: types.NullDatum})
		}
		if len(f.Args) == 1 && f.Args[0] == types.Int4 {
			c.Args[0] = lit(t, types.Int4, "3")
		}
		_, err := Compile(c, nil)
		if err != nil {
			t.Errorf("%s: %v", f.ID, err)
		}
	})
}

func TestThreeValuedLogic(t *testing.T) {
	vals := []scalar.Expr{lit(t, types.Bool, "f"), lit(t, types.Bool, "t"), &scalar.Const{Typ: types.T(types.Bool), Value: types.NullDatum}}
	and := [3][3]string{{"f", "f", "f"}, {"f", "t", "n"}, {"f", "n", "n"}}
	or := [3][3]string{{"f", "t", "n"}, {"t", "t", "t"}, {"n", "t", "n"}}
	show := func(e scalar.Expr) string {
		p, err := Compile(e, nil)
		if err != nil {
			t.Fatal(err)
		}
		d, err := p.Eval(NewFrame(nil))
		switch {
		case err != nil:
			t.Fatal(err)
		case d.Null:
			return "n"
		case d.I != 0:
			return "t"
		}
		return "f"
	}
	for i, a := range vals {
		for j, b := range vals {
			for _, args := range [][]scalar.Expr{{a, b}, {a, b, b}} {
				if got := show(&scalar.Logic{Args: args}); got != and[i][j] {
					t.Errorf("AND %d %d = %s", i, j, got)
				}
				if got := show(&scalar.Logic{Or: true, Args: args}); got != or[i][j] {
					t.Errorf("OR %d %d = %s", i, j, got)
				}
			}
		}
	}
}

func TestProjection(t *testing.T) {
	p, err := CompileProjection([]scalar.Expr{col(0), col(1), call("textcat(text,text)", col(2), lit(t, types.Text, "!")), col(4)}, orders)
	if err != nil {
		t.Fatal(err)
	}
	f := NewFrame(nil)
	f.SetRow(order(t))
	got, err := p.AppendRow(f, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := row(t, []types.Type{orders[0], orders[1], orders[2], orders[4]}, "42", "19.99", "shipped!", "2024-02-29 12:34:56")
	if string(got) != string(want) {
		t.Errorf("got %x, want %x", got, want)
	}
}

func TestFold(t *testing.T) {
	one, zero := lit(t, types.Int4, "1"), lit(t, types.Int4, "0")
	for _, c := range []struct {
		e    scalar.Expr
		want string
	}{
		{call("int4pl(int4,int4)", one, one), "2"},
		{call("int4div(int4,int4)", one, zero), "(1 / 0)"},
		{call("int4pl(int4,int4)", col(0), call("int4pl(int4,int4)", one, one)), "(#0 + 2)"},
		{call("now()"), "now()"},
		{call("concat(any...)", one, lit(t, types.TimestampTZ, "2000-01-01")), "concat(1, '2000-01-01 00:00:00+00'::timestamp with time zone)"},
	} {
		got, err := Fold(c.e)
		if err != nil || scalar.String(got) != c.want {
			t.Errorf("Fold(%s) = %s, %v; want %s", scalar.String(c.e), scalar.String(got), err, c.want)
		}
	}
}

// TestInList covers NULLs and the equality of numerics of different scale.
func TestInList(t *testing.T) {
	in := []types.Type{types.T(types.Numeric), types.T(types.Int4)}
	list := []types.Datum{lit(t, types.Numeric, "1.0").Value, lit(t, types.Numeric, "2").Value}
	for _, c := range []struct {
		x            string
		hasNull, neg bool
		want         types.Datum
	}{
		{"1", false, false, types.DBool(true)}, {"3", false, false, types.DBool(false)}, {"3", true, false, types.NullDatum},
		{"1", true, true, types.DBool(false)}, {"3", false, true, types.DBool(true)}, {"NULL", false, false, types.NullDatum},
	} {
		p, err := Compile(&scalar.InList{X: &scalar.Column{Typ: in[0]}, List: list, HasNull: c.hasNull, Neg: c.neg}, in)
		if err != nil {
			t.Fatal(err)
		}
		f := NewFrame(nil)
		f.SetRow(row(t, in, c.x, "1"))
		got, err := p.Eval(f)
		if err != nil || got.Null != c.want.Null || !got.Null && got.I != c.want.I {
			t.Errorf("%+v: got %+v, %v", c, got, err)
		}
	}
}

func BenchmarkPredicate(b *testing.B) {
	for _, c := range []struct {
		name string
		e    scalar.Expr
	}{
		{"int4=const", call("int4eq(int4,int4)", col(0), lit(b, types.Int4, "42"))},
		{"text=const", call("texteq(text,text)", col(2), lit(b, types.Text, "shipped"))},
		{"numeric>const", call("numeric_gt(numeric,numeric)", col(1), lit(b, types.Numeric, "10"))},
		{"timestamp>=const", call("timestamp_ge(timestamp,timestamp)", col(4), lit(b, types.Timestamp, "2024-01-01"))},
		{"like-prefix", call("textlike(text,text)", col(3), lit(b, types.Text, "a note%"))},
		{"like-general", call("textlike(text,text)", col(3), lit(b, types.Text, "%sixty%shop%"))},
		{"and-of-three", &scalar.Logic{Args: []scalar.Expr{
			call("int4gt(int4,int4)", col(0), lit(b, types.Int4, "1")),
			call("texteq(text,text)", col(2), lit(b, types.Text, "shipped")),
			call("int8lt(int8,int8)", col(5), lit(b, types.Int8, "100")),
		}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			p, err := Compile(c.e, orders)
			if err != nil {
				b.Fatal(err)
			}
			f, r := NewFrame(nil), order(b)
			b.ReportAllocs()
			for b.Loop() {
				f.SetRow(r)
				if ok, err := p.Bool(f); err != nil || !ok {
					b.Fatal(ok, err)
				}
			}
		})
	}
}

func BenchmarkProjection(b *testing.B) {
	for _, c := range []struct {
		name  string
		exprs []scalar.Expr
	}{
		{"columns", []scalar.Expr{col(0), col(1), col(4), col(5)}},
		{"int-arithmetic", []scalar.Expr{call("int4pl(int4,int4)", call("int4mul(int4,int4)", col(0), lit(b, types.Int4, "3")), col(0))}},
		{"numeric-multiply", []scalar.Expr{col(0), call("numeric_mul(numeric,numeric)", col(1), lit(b, types.Numeric, "1.19"))}},
		{"upper-and-date_trunc", []scalar.Expr{call("upper(text)", col(2)), call("date_trunc(text,timestamp)", lit(b, types.Text, "month"), col(4))}},
	} {
		b.Run(c.name, func(b *testing.B) {
			p, err := CompileProjection(c.exprs, orders)
			if err != nil {
				b.Fatal(err)
			}
			f, r := NewFrame(nil), order(b)
			var dst []byte
			b.ReportAllocs()
			for b.Loop() {
				f.SetRow(r)
				if dst, err = p.AppendRow(f, dst[:0]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
