package types_test

import (
	"bytes"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// TestFloatTextAgainstPostgres prints random floats as PostgreSQL does.
func TestFloatTextAgainstPostgres(t *testing.T) {
	r := newRand(t)
	o := newOracle(t)
	f := &types.Format{}
	for _, typ := range []types.OID{types.Float8, types.Float4} {
		var inputs []string
		for range 3000 {
			v := math.Float64frombits(r.Uint64())
			switch {
			case r.IntN(3) == 0:
				v = math.Ldexp(float64(r.Int64N(1<<53)), r.IntN(120)-60)
			case r.IntN(3) == 0: // short decimals, where ties are
				v = float64(r.IntN(1000)) * math.Pow10(r.IntN(40))
			}
			if typ == types.Float4 {
				if v = float64(math.Float32frombits(uint32(r.Uint64()))); r.IntN(3) == 0 {
					v = float64(float32(r.IntN(1000)) * float32(math.Pow10(r.IntN(20))))
				}
			}
			if v == v {
				inputs = append(inputs, f.DatumText(typ, types.DFloat(v)))
			}
		}
		want := o.try(t, `SELECT (%L::`+typ.String()+`)::text`, inputs)
		for i, in := range inputs {
			if got := "T" + in; got != want[i] {
				t.Errorf("%s\n  got  %s\n  want %s", typ, got, want[i])
			}
		}
	}
}

// TestZonesAgainstPostgres reads local times and prints instants in zones.
func TestZonesAgainstPostgres(t *testing.T) {
	r := newRand(t)
	o := newOracle(t)
	for _, zone := range []string{"America/New_York", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns", "UTC", "Africa/Casablanca"} {
		loc, ok := types.LoadZone(zone)
		if !ok {
			t.Fatal(zone)
		}
		f := &types.Format{TimeZone: loc}
		o.exec(t, `SET timezone = '`+zone+`'`)
		var inputs []string
		for range 1000 {
			ts := r.Int64N(100*366*86400)*1_000_000 - 50*366*86400*1_000_000
			if r.IntN(2) == 0 {
				ts -= ts % 1_800_000_000
			}
			inputs = append(inputs, string(types.AppendTimestampText(nil, ts)))
		}
		inputs = append(inputs, "2001-04-01 02:30:00", "2001-10-28 01:30:00", "0044-03-15 12:00:00 BC", "2090-07-01 12:00:00", "12000-07-01 00:00:00", "infinity")
		for _, typ := range []types.OID{types.TimestampTZ, types.TimestampTZArray} {
			in := inputs
			if typ == types.TimestampTZArray {
				in = []string{`{"2001-07-01 02:30:00",NULL,"2001-01-01 02:30:00+00"}`}
			}
			want := o.try(t, `SELECT concat(%L::`+typ.String()+`)`, in)
			for i, s := range in {
				if got := inOut(f, types.T(typ), s); got != want[i] {
					t.Errorf("%s %s\n  got  %s\n  want %s", zone, s, got, want[i])
				}
			}
		}
	}
}

// TestBinaryAgainstPostgres compares with the send functions and reads them
// back.
func TestBinaryAgainstPostgres(t *testing.T) {
	o := newOracle(t)
	for _, c := range textCases {
		if c.typ.Mod >= 0 {
			continue
		}
		send := c.typ.OID.Name() + "send"
		switch c.typ.OID {
		case types.Date, types.Time, types.TimeTZ, types.Timestamp, types.TimestampTZ, types.Interval, types.Numeric, types.UUID, types.JSON, types.JSONB:
			send = c.typ.OID.Name() + "_send"
		}
		if c.typ.OID.Elem() != 0 {
			send = "array_send"
		}
		want := o.try(t, `SELECT `+send+`(%L::`+c.typ.String()+`)`, c.inputs)
		for i, in := range c.inputs {
			row, err := types.AppendFromText(nil, c.typ, []byte(in))
			if err != nil || in == "-nan" && c.typ.OID == types.Float8 { // we have one NaN
				continue
			}
			p, _ := types.Row(row).Value(0)
			bin := types.AppendBinary(nil, c.typ.OID, p)
			f := types.Format{}
			if got := "T" + string(f.AppendText(nil, types.Bytea, bin)); got != want[i] && !strings.HasPrefix(want[i], "E") {
				t.Errorf("%s %q\n  got  %s\n  want %s", c.typ, in, got, want[i])
			}
			back, err := types.AppendFromBinary(nil, c.typ, bin)
			if err != nil || !bytes.Equal(back, row) {
				t.Errorf("%s %q: binary %x reads back as %x, %v; want %x", c.typ, in, bin, back, err, row)
			}
		}
	}
}

// TestFloatSum compares with a big.Float of full width, under retraction.
func TestFloatSum(t *testing.T) {
	r := newRand(t)
	for range 300 {
		var sum types.FloatSum
		exact := new(big.Float).SetPrec(2400)
		var live []float64
		for range r.IntN(30) {
			v := math.Float64frombits(r.Uint64())
			if r.IntN(2) == 0 {
				v = r.NormFloat64() * math.Pow10(r.IntN(20))
			}
			if v != v || math.IsInf(v, 0) || math.Abs(v) > 1e300 {
				continue
			}
			w := int64(1 + r.IntN(3))
			sum.Add(v, w)
			for range w {
				live = append(live, v)
			}
			if len(live) > 0 && r.IntN(3) == 0 {
				i := r.IntN(len(live))
				sum.Add(live[i], -1)
				live = append(live[:i], live[i+1:]...)
			}
			sum.LoadState(sum.AppendState(nil))
		}
		for _, v := range live {
			exact.Add(exact, new(big.Float).SetPrec(2400).SetFloat64(v))
		}
		want, _ := exact.Float64()
		want32, _ := exact.Float32()
		if got, err := sum.Float64(); got != want || err != nil {
			t.Fatalf("sum %v, %v; want %v", got, err, want)
		}
		if got, err := sum.Float32(); got != want32 && err == nil {
			t.Fatalf("sum as float4 %v, %v; want %v", got, err, want32)
		}
		for _, v := range live {
			sum.Add(v, -1)
		}
		if state, empty := sum.AppendState(nil), new(types.FloatSum).AppendState(nil); !bytes.Equal(state, empty) {
			t.Fatalf("emptied sum is %x, want %x", state, empty)
		}
	}
	var sum types.FloatSum
	sum.Add(math.Copysign(0, -1), 2)
	if v, _ := sum.Float64(); !math.Signbit(v) {
		t.Error("sum of −0 is not −0")
	}
	sum.Add(math.Inf(1), 1)
	sum.Add(math.Inf(-1), 1)
	if v, _ := sum.Float64(); v == v {
		t.Errorf("∞ − ∞ = %v", v)
	}
	sum.Add(math.Inf(-1), -1)
	if v, _ := sum.Float64(); !math.IsInf(v, 1) {
		t.Errorf("∞ = %v", v)
	}
	sum.Reset()
	sum.Add(math.MaxFloat64, 2)
	if _, err := sum.Float64(); pgerr.CodeOf(err) != pgerr.NumericValueOutOfRange {
		t.Errorf("overflow: %v", err)
	}
}

func TestNow(t *testing.T) {
	if _, err := types.ParseDatum(types.T(types.Date), "today"); pgerr.CodeOf(err) != pgerr.FeatureNotSupported {
		t.Errorf("today without a clock: %v", err)
	}
	loc, _ := types.LoadZone("asia/tokyo")
	now, _ := types.ParseDatum(types.T(types.TimestampTZ), "2024-02-28 20:00:00.5+00")
	f := types.Format{TimeZone: loc, Now: now.I}
	for in, want := range map[string]string{"today": "2024-02-29", "tomorrow": "2024-03-01", "yesterday": "2024-02-28", "now": "2024-02-29"} {
		d, err := f.ParseDatum(types.T(types.Date), in)
		if got := f.DatumText(types.Date, d); err != nil || got != want {
			t.Errorf("%s is %s, %v; want %s", in, got, err, want)
		}
	}
	for _, typ := range []types.OID{types.Timestamp, types.TimestampTZ, types.Time, types.TimeTZ} {
		d, err := f.ParseDatum(types.T(typ), "now")
		if err != nil {
			t.Errorf("now as %s: %v", typ, err)
			continue
		}
		if got := f.DatumText(typ, d); !strings.Contains(got, "05:00:00.5") {
			t.Errorf("now as %s is %s", typ, got)
		}
	}
}

func TestTypeNames(t *testing.T) {
	for name, want := range map[string]string{
		"int4": "integer", "integer": "integer", "_int4": "integer[]", "text[]": "text[]", "double precision": "double precision",
		"timestamp with time zone": "timestamp with time zone", "bpchar": "bpchar", "char": `"char"`, "decimal": "numeric",
	} {
		if oid, ok := types.OIDByName(name); !ok || oid.String() != want {
			t.Errorf("%s is %v, want %s", name, oid, want)
		}
	}
	for typ, want := range map[types.Type]string{
		{OID: types.Numeric, Mod: types.NumericMod(10, 2)}:      "numeric(10,2)",
		{OID: types.Numeric, Mod: types.NumericMod(3, -2)}:      "numeric(3,-2)",
		{OID: types.VarCharArray, Mod: 9}:                       "character varying(5)[]",
		{OID: types.BPChar, Mod: 5}:                             "character(1)",
		{OID: types.TimestampTZ, Mod: 3}:                        "timestamp(3) with time zone",
		{OID: types.Interval, Mod: mustMod("day to second", 3)}: "interval day to second(3)",
		{OID: 869, Mod: -1}:                                     "text",
	} {
		if got := typ.String(); got != want {
			t.Errorf("%#v is %s, want %s", typ, got, want)
		}
	}
}

var allTypes = func() (ts []types.Type) {
	for _, c := range textCases {
		ts = append(ts, c.typ)
	}
	return ts
}()

// FuzzText checks that any text is refused or gives a value that prints, keys
// and reads back as itself.
func FuzzText(f *testing.F) {
	for i, c := range textCases {
		for _, in := range c.inputs {
			f.Add(i, []byte(in))
		}
	}
	loc, _ := types.LoadZone("America/New_York")
	format := types.Format{TimeZone: loc}
	f.Fuzz(func(t *testing.T, n int, in []byte) {
		typ := allTypes[uint(n)%uint(len(allTypes))]
		row, err := format.AppendFromText(nil, typ, in)
		if err != nil {
			return
		}
		roundTrip(t, &format, typ, row)
	})
}

func roundTrip(t *testing.T, format *types.Format, typ types.Type, row types.Row) {
	if !row.Check(1) {
		t.Fatalf("%s: malformed row %x", typ, row)
	}
	p, _ := row.Value(0)
	text := format.AppendText(nil, typ.OID, p)
	back, err := format.AppendFromText(nil, types.T(typ.OID), text)
	if typ.Mod >= 0 && pgerr.CodeOf(err) == pgerr.DatetimeFieldOverflow {
		return // rounded out of range, as PostgreSQL lets it be
	}
	if err != nil || !bytes.Equal(back, row) {
		t.Fatalf("%s: %x prints as %q, which reads back as %x, %v", typ, row, text, back, err)
	}
	checkKey(t, typ, row)
	bin := types.AppendBinary(nil, typ.OID, p)
	if back, err := types.AppendFromBinary(nil, types.T(typ.OID), bin); err != nil || !bytes.Equal(back, row) {
		t.Fatalf("%s %q: binary %x reads back as %x, %v", typ, text, bin, back, err)
	}
}

// FuzzBinary checks that hostile bytes are refused or give a sound value.
func FuzzBinary(f *testing.F) {
	for i, c := range textCases {
		for _, in := range c.inputs {
			if row, err := types.AppendFromText(nil, c.typ, []byte(in)); err == nil {
				p, _ := types.Row(row).Value(0)
				f.Add(i, types.AppendBinary(nil, c.typ.OID, p))
			}
		}
	}
	f.Fuzz(func(t *testing.T, n int, bin []byte) {
		typ := allTypes[uint(n)%uint(len(allTypes))]
		row, err := types.AppendFromBinary(nil, typ, bin)
		if err != nil {
			return
		}
		if !types.Row(row).Check(1) {
			t.Fatalf("%s: malformed row %x", typ, row)
		}
		p, _ := types.Row(row).Value(0)
		format := types.Format{}
		format.AppendText(nil, typ.OID, p)
		checkKey(t, typ, row)
	})
}

// checkKey checks that a row's key tells its end, and its value if it shall.
func checkKey(t *testing.T, typ types.Type, row types.Row) {
	key := types.AppendKeySpan(nil, typ.OID, row, row.Spans(1, nil)[0])
	if n := types.SkipKey(key, []types.Type{typ}); n != len(key) {
		t.Fatalf("%s %x: SkipKey %d of %x", typ, row, n, key)
	}
	if !types.KeyTells(typ.OID) {
		return
	}
	if back := types.AppendValueOfKey(nil, typ.OID, append(key, 0, 1)); !bytes.Equal(back, row) {
		t.Fatalf("%s %x: key %x gives back %x", typ, row, key, back)
	}
}

// FuzzRowCheck checks that what Check accepts can be walked.
func FuzzRowCheck(f *testing.F) {
	f.Add([]byte{0, 1, 6, 1, 2, 3, 4}, 3)
	f.Add([]byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1}, 1)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		n &= 15
		if row := types.Row(b); row.Check(n) {
			for _, s := range row.Spans(n, nil) {
				if s.Len >= 0 && int(s.Off+s.Len) > len(b) {
					t.Fatalf("%x: span %v", b, s)
				}
			}
		}
	})
}

// hotValues are what the hot path carries.
var hotValues = []struct {
	typ  types.OID
	text string
}{
	{types.Int4, "123456"}, {types.Int8, "-1234567890123"}, {types.Float8, "123.456"}, {types.Bool, "t"},
	{types.Numeric, "12345.67"}, {types.Text, "a text of some sixty bytes, as a note to an order may be"},
	{types.Date, "2024-02-29"}, {types.Timestamp, "2024-02-29 12:34:56.789"}, {types.TimestampTZ, "2024-02-29 12:34:56.789+00"},
	{types.UUID, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
}

func TestHotPathDoesNotAllocate(t *testing.T) {
	buf := make([]byte, 0, 256)
	key := make([]byte, 0, 256)
	f := &types.Format{}
	for _, v := range hotValues {
		text := []byte(v.text)
		row, err := types.AppendFromText(nil, types.T(v.typ), text)
		if err != nil {
			t.Fatal(err)
		}
		p, _ := types.Row(row).Value(0)
		n := testing.AllocsPerRun(100, func() {
			buf, _ = f.AppendFromText(buf[:0], types.T(v.typ), text)
			buf = f.AppendText(buf[:0], v.typ, p)
			buf = types.AppendBinary(buf[:0], v.typ, p)
			key = types.AppendKeySpan(key[:0], v.typ, row, types.Span{Off: 1, Len: int32(len(p))})
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", v.typ, n)
		}
	}
	var sum types.NumericSum
	var fsum types.FloatSum
	a, b := num(t, "123.45"), num(t, "-7.5")
	state := make([]byte, 0, 256)
	if n := testing.AllocsPerRun(100, func() {
		buf, _ = types.NumericAdd(buf[:0], a, b)
		buf, _ = types.NumericMul(buf[:0], a, b)
		buf, _ = types.NumericDiv(buf[:0], a, b)
		buf, _ = types.NumericRound(buf[:0], a, 1)
		types.NumericCmp(a, b)
		sum.Add(a, 1)
		sum.Add(b, -1)
		state = sum.AppendState(state[:0])
		sum.LoadState(state)
		fsum.Add(0.1, 1)
		state = fsum.AppendState(state[:0])
		fsum.LoadState(state)
	}); n != 0 {
		t.Errorf("arithmetic: %v allocations", n)
	}
}

func BenchmarkText(b *testing.B) {
	f := &types.Format{}
	for _, v := range hotValues {
		text := []byte(v.text)
		row, _ := types.AppendFromText(nil, types.T(v.typ), text)
		p, _ := types.Row(row).Value(0)
		buf := make([]byte, 0, 256)
		b.Run("parse/"+v.typ.Name(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				buf, _ = f.AppendFromText(buf[:0], types.T(v.typ), text)
			}
		})
		b.Run("print/"+v.typ.Name(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				buf = f.AppendText(buf[:0], v.typ, p)
			}
		})
		b.Run("key/"+v.typ.Name(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				buf = types.AppendKeySpan(buf[:0], v.typ, row, types.Span{Off: 1, Len: int32(len(p))})
			}
		})
	}
}

func BenchmarkSums(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	var sum types.NumericSum
	var fsum types.FloatSum
	v := num(b, "123.45")
	f := r.NormFloat64()
	b.Run("numeric", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sum.Add(v, 1)
		}
	})
	b.Run("float", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			fsum.Add(f, 1)
		}
	})
}
