package types_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/helios-sql/helios-sql/sql/types"
)

// randNumeric gives the text of a numeric, edge values among them.
func randNumeric(r *rand.Rand, digits int) string {
	switch r.IntN(24) {
	case 0:
		return []string{"NaN", "Infinity", "-Infinity", "0", "0.000", "1", "1.0", "-1", "9223372036854775807", "-9223372036854775808", "0.5", "10000", "0.0001", "99999999999999999999"}[r.IntN(14)]
	case 1:
		digits *= 4
	}
	var b strings.Builder
	if r.IntN(3) == 0 {
		b.WriteByte('-')
	}
	n := 1 + r.IntN(digits)
	point := r.IntN(n + 1)
	for i := range n {
		if i == point {
			if i == 0 {
				b.WriteByte('0')
			}
			b.WriteByte('.')
		}
		d := r.IntN(10)
		if r.IntN(4) == 0 {
			d = 0
		}
		b.WriteByte(byte('0' + d))
	}
	return b.String()
}

func num(t testing.TB, text string) []byte {
	p, err := types.NumericParse(nil, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

type numericOp struct {
	expr   string // with %s for the operands
	digits int
	f      func(a, b []byte) ([]byte, error)
}

func unary(f func(dst, p []byte) ([]byte, error)) func(a, b []byte) ([]byte, error) {
	return func(a, _ []byte) ([]byte, error) { return f(nil, a) }
}

func binary(f func(dst, a, b []byte) ([]byte, error)) func(a, b []byte) ([]byte, error) {
	return func(a, b []byte) ([]byte, error) { return f(nil, a, b) }
}

var numericOps = []numericOp{
	{"a + b", 24, binary(types.NumericAdd)},
	{"a - b", 24, binary(types.NumericSub)},
	{"a * b", 24, binary(types.NumericMul)},
	{"a / b", 24, binary(types.NumericDiv)},
	{"a % b", 24, binary(types.NumericRem)},
	{"div(a, b)", 24, binary(types.NumericQuo)},
	{"-a", 24, func(a, _ []byte) ([]byte, error) { return types.NumericNeg(nil, a), nil }},
	{"abs(a)", 24, func(a, _ []byte) ([]byte, error) { return types.NumericAbs(nil, a), nil }},
	{"ceil(a)", 24, unary(types.NumericCeil)},
	{"floor(a)", 24, unary(types.NumericFloor)},
	{"round(a, 3)", 24, func(a, _ []byte) ([]byte, error) { return types.NumericRound(nil, a, 3) }},
	{"round(a, -2)", 24, func(a, _ []byte) ([]byte, error) { return types.NumericRound(nil, a, -2) }},
	{"trunc(a, 1)", 24, func(a, _ []byte) ([]byte, error) { return types.NumericTrunc(nil, a, 1) }},
	{"trunc(a, -3)", 24, func(a, _ []byte) ([]byte, error) { return types.NumericTrunc(nil, a, -3) }},
	{"coalesce(min_scale(a), 0)", 24, func(a, _ []byte) ([]byte, error) {
		return types.NumericFromInt64(nil, int64(types.NumericMinScale(a))), nil
	}},
	{"a::int8", 20, func(a, _ []byte) ([]byte, error) {
		v, err := types.NumericToInt64(a)
		return types.NumericFromInt64(nil, v), err
	}},
	{"a::int4", 10, func(a, _ []byte) ([]byte, error) {
		v, err := types.NumericToInt(types.Int4, a)
		return types.NumericFromInt64(nil, v), err
	}},
	{"(a::float8)::numeric", 24, func(a, _ []byte) ([]byte, error) {
		v, err := types.NumericToFloat64(a)
		return types.NumericFromFloat64(nil, v), err
	}},
	{"(a::float4)::numeric", 24, func(a, _ []byte) ([]byte, error) {
		v, err := types.NumericToFloat32(a)
		return types.NumericFromFloat32(nil, v), err
	}},
	{"sqrt(a)", 24, unary(types.NumericSqrt)},
	{"exp(a)", 6, unary(types.NumericExp)},
	{"ln(a)", 24, unary(types.NumericLn)},
	{"log(a, b)", 16, binary(types.NumericLog)},
	{"log(a)", 16, func(a, _ []byte) ([]byte, error) { return types.NumericLog(nil, num(nil, "10"), a) }},
	{"power(a, b)", 4, binary(types.NumericPower)},
	{"power(a, round(b))", 5, func(a, b []byte) ([]byte, error) {
		b, err := types.NumericRound(nil, b, 0)
		if err != nil {
			return nil, err
		}
		return types.NumericPower(nil, a, b)
	}},
	{"a < b", 3, func(a, b []byte) ([]byte, error) {
		v := int64(0)
		if types.NumericCmp(a, b) < 0 {
			v = 1
		}
		return types.NumericFromInt64(nil, v), nil
	}},
}

func TestNumericAgainstPostgres(t *testing.T) {
	r := newRand(t)
	o := newOracle(t)
	n := 150
	for _, op := range numericOps {
		inputs := make([]string, n)
		for i := range inputs {
			inputs[i] = randNumeric(r, op.digits) + "|" + randNumeric(r, op.digits)
		}
		expr := op.expr
		if expr == "a < b" {
			expr = "(a < b)::int"
		}
		want := o.try(t, `SELECT `+strings.ReplaceAll(expr, "%", "%%")+
			` FROM (SELECT split_part(s, '|', 1)::numeric AS a, split_part(s, '|', 2)::numeric AS b FROM (SELECT %L AS s) AS x) AS x`, inputs)
		for i, in := range inputs {
			a, b, _ := strings.Cut(in, "|")
			p, err := op.f(num(t, a), num(t, b))
			got := ""
			if err == nil {
				got = string(types.AppendNumericText(nil, p))
			}
			if got = answer(got, err); got != want[i] {
				t.Errorf("%s, a = %s, b = %s\n  got  %s\n  want %s", op.expr, a, b, got, want[i])
			}
		}
	}
}

// TestNumericSumAgainstPostgres adds and retracts, and compares with sum().
func TestNumericSumAgainstPostgres(t *testing.T) {
	r := newRand(t)
	o := newOracle(t)
	var inputs, got []string
	for range 100 {
		var sum types.NumericSum
		var live []string
		for range 1 + r.IntN(12) {
			if len(live) > 0 && r.IntN(3) == 0 {
				i := r.IntN(len(live))
				sum.Add(num(t, live[i]), -1)
				live = append(live[:i], live[i+1:]...)
			} else {
				live = append(live, randNumeric(r, 20))
				sum.Add(num(t, live[len(live)-1]), 1)
			}
			state := sum.AppendState(nil)
			sum.LoadState(state)
			if again := sum.AppendState(nil); string(again) != string(state) {
				t.Fatalf("state %x became %x", state, again)
			}
		}
		if sum.Count() != int64(len(live)) {
			t.Fatalf("count %d of %v", sum.Count(), live)
		}
		p, err := sum.AppendSum(nil)
		if err != nil {
			t.Fatal(err)
		}
		inputs = append(inputs, strings.Join(live, "|"))
		got = append(got, "T"+string(types.AppendNumericText(nil, p)))
	}
	want := o.try(t, `SELECT coalesce(sum(x::numeric), 0) FROM unnest(string_to_array(%L, '|')) AS u(x)`, inputs)
	for i, in := range inputs {
		if got[i] != want[i] {
			t.Errorf("sum of %s\n  got  %s\n  want %s", in, got[i], want[i])
		}
	}
}

// TestKeyOrderAgainstPostgres sorts by key and compares with ORDER BY.
func TestKeyOrderAgainstPostgres(t *testing.T) {
	r := newRand(t)
	o := newOracle(t)
	for n, c := range textCases {
		if !types.HasEquality(c.typ.OID) || c.typ.Mod >= 0 && c.typ.OID != types.BPChar {
			continue
		}
		inputs := c.inputs
		if c.typ.OID == types.Numeric || c.typ.OID == types.NumericArray {
			for range 200 {
				v := randNumeric(r, 12)
				if c.typ.OID == types.NumericArray {
					v = "{" + v + "," + randNumeric(r, 2) + "}"
				}
				inputs = append(inputs, v)
			}
		}
		if c.typ.OID == types.JSONB {
			for range 300 {
				inputs = append(inputs, randJSON(r, 3))
			}
		}
		testKeyOrder(t, o, c.typ, n, inputs)
	}
}

func randJSON(r *rand.Rand, depth int) string {
	k := r.IntN(8)
	if depth == 0 {
		k = r.IntN(6)
	}
	switch k {
	case 0:
		return "null"
	case 1:
		return "true"
	case 2:
		return "false"
	case 3:
		return strconv.Itoa(r.IntN(4)) + []string{"", ".0", ".5"}[r.IntN(3)]
	case 4, 5:
		return []string{`""`, `"a"`, `"aa"`, `"b"`, `"\t"`}[r.IntN(5)]
	}
	var parts []string
	for range r.IntN(4) {
		v := randJSON(r, depth-1)
		if k == 7 {
			v = []string{`"a"`, `"aa"`, `"b"`, `""`}[r.IntN(4)] + ":" + v
		}
		parts = append(parts, v)
	}
	if k == 7 {
		return "{" + strings.Join(parts, ",") + "}"
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// testKeyOrder compares the rank that ORDER BY gives each input with the
// order of keys, and Compare, SkipKey and PrefixEnd with the keys.
func testKeyOrder(t *testing.T, o oracle, typ types.Type, n int, inputs []string) {
	type value struct {
		text string
		d    types.Datum
		key  []byte
		rank int
	}
	var values []value
	o.exec(t, fmt.Sprintf(`CREATE TEMP TABLE k%d (n int, v %s)`, n, typ))
	texts := []string{}
	for _, in := range inputs {
		row, err := types.AppendFromText(nil, typ, []byte(in))
		if err != nil {
			continue
		}
		s := types.Row(row).Spans(1, nil)
		key := types.AppendKeySpan(nil, typ.OID, row, s[0])
		d := types.DecodeSpan(typ.OID, row, s[0])
		if again := types.AppendKeyDatum(nil, typ.OID, d); string(again) != string(key) {
			t.Fatalf("%s %q: key of the datum %x, of the row %x", typ, in, again, key)
		}
		values = append(values, value{in, d, key, 0})
		texts = append(texts, in)
	}
	stmt := fmt.Sprintf(`INSERT INTO k%d SELECT n, x::%s FROM unnest($1::text[]) WITH ORDINALITY AS u(x, n)`, n, typ)
	o.exec(t, stmt, texts)
	rows, err := o.Query(context.Background(), fmt.Sprintf(`SELECT dense_rank() OVER (ORDER BY v) FROM k%d ORDER BY n`, n))
	if err != nil {
		t.Fatal(err)
	}
	ranks, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		t.Fatalf("%s: %v", typ, err)
	}
	for i := range values {
		values[i].rank = ranks[i]
	}
	for _, a := range values {
		long := append(append([]byte{}, a.key...), 0x01, 0x02)
		if l := types.SkipKey(long, []types.Type{typ}); l != len(a.key) {
			t.Errorf("%s %q: SkipKey %d of %d", typ, a.text, l, len(a.key))
		}
		if end := types.PrefixEnd(a.key); end != nil && (string(end) <= string(long) || string(end) <= string(a.key)) {
			t.Errorf("%s %q: PrefixEnd %x of %x", typ, a.text, end, a.key)
		}
		for _, b := range values {
			want := sign(a.rank - b.rank)
			if got := strings.Compare(string(a.key), string(b.key)); got != want {
				t.Errorf("%s: keys of %q and %q compare %d, want %d", typ, a.text, b.text, got, want)
			}
			if got := sign(types.Compare(typ.OID, a.d, b.d)); got != want {
				t.Errorf("%s: Compare(%q, %q) = %d, want %d", typ, a.text, b.text, got, want)
			}
		}
	}
}

func sign(v int) int {
	switch {
	case v < 0:
		return -1
	case v > 0:
		return 1
	}
	return 0
}
