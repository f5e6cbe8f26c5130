package scalar

import (
	"fmt"
	"strings"
	"sync"

	"github.com/helios-sql/helios-sql/sql/types"
)

// A registry holds the parsed tables. It is built once, on first use, and
// only read afterwards.
type registry struct {
	funcs     map[string][]*Func // by name
	operators map[string][]*Func // by symbol
	aggs      map[string][]*AggFunc
	byID      map[string]*Func
	aggByID   map[string]*AggFunc
	casts     map[castPair]cast
	io        map[castPair]*Func
}

type castPair struct{ from, to types.OID }

type cast struct {
	context CastContext
	fn      *Func // nil: same representation
}

var catalog = sync.OnceValue(buildRegistry)

// Functions gives the overloads of a function name, in the order of their IDs; nil if there
// is none. Names are lower case.
func Functions(name string) []*Func { return catalog().funcs[name] }

// Operators gives the overloads of an operator's symbol, binary (two
// arguments) and prefix (one).
func Operators(symbol string) []*Func { return catalog().operators[symbol] }

// Aggregates gives the overloads of an aggregate's name.
func Aggregates(name string) []*AggFunc { return catalog().aggs[name] }

// FuncByID finds a function, operator or cast by its ID; nil if there is none.
func FuncByID(id string) *Func { return catalog().byID[id] }

// AggByID finds an aggregate by its ID; nil if there is none.
func AggByID(id string) *AggFunc { return catalog().aggByID[id] }

// AllFuncs calls f for every function, operator and cast of the catalog, in no set order.
func AllFuncs(f func(*Func)) {
	for _, fn := range catalog().byID {
		f(fn)
	}
}

// AllAggregates calls f for every aggregate of the catalog, in no set order.
func AllAggregates(f func(*AggFunc)) {
	for _, fn := range catalog().aggByID {
		f(fn)
	}
}

// FindCast says how a value of one type becomes another in a context, as
// PostgreSQL's find_coercion_pathway does. The Func's Ret may be another type of the
// same representation (text(bpchar) serves bpchar to varchar): the Call has the target's type.
// Length modifiers are not applied: see LengthCast.
func FindCast(from, to types.OID, ctx CastContext) (CastMethod, *Func) {
	if from == to {
		return Relabel, nil
	}
	if from == types.Unknown {
		return Unresolved, nil
	}
	r := catalog()
	if c, ok := r.casts[castPair{from, to}]; ok {
		switch {
		case ctx < c.context:
			return NoCast, nil
		case c.fn == nil:
			return Relabel, nil
		}
		return FuncCast, c.fn
	}
	fn := r.io[castPair{from, to}]
	switch {
	case fn == nil:
		return NoCast, nil
	case Category(to) == 'S' && ctx >= AssignmentCast, ctx == ExplicitCast:
		return FuncCast, fn
	}
	return NoCast, nil
}

// LengthCast gives the function that applies a type's modifier to a value of that type:
// f(value, typmod int4) or f(value, typmod int4, explicit bool); nil if
// the type has no modifier.
func LengthCast(to types.Type) *Func {
	if to.Mod < 0 {
		return nil
	}
	var id string
	switch to.OID {
	case types.VarChar:
		id = "varchar(varchar,int4,bool)"
	case types.BPChar:
		id = "bpchar(bpchar,int4,bool)"
	case types.Numeric:
		id = "numeric(numeric,int4)"
	case types.Time:
		id = "time(time,int4)"
	case types.TimeTZ:
		id = "timetz(timetz,int4)"
	case types.Timestamp:
		id = "timestamp(timestamp,int4)"
	case types.TimestampTZ:
		id = "timestamptz(timestamptz,int4)"
	case types.Interval:
		id = "interval(interval,int4)"
	default:
		return nil
	}
	return FuncByID(id)
}

// Category is pg_type.typcategory.
func Category(t types.OID) byte {
	switch t {
	case types.Bool:
		return 'B'
	case types.Text, types.VarChar, types.BPChar, types.Name:
		return 'S'
	case types.Char:
		return 'Z'
	case types.Int2, types.Int4, types.Int8, types.Float4, types.Float8, types.Numeric, types.OIDType,
		types.RegProc, types.RegClass, types.RegType, types.RegNamespace:
		return 'N'
	case types.Date, types.Time, types.TimeTZ, types.Timestamp, types.TimestampTZ:
		return 'D'
	case types.Interval:
		return 'T'
	case types.Unknown:
		return 'X'
	case types.Any, types.AnyElement, types.Record, types.Void:
		return 'P'
	}
	if isArray(t) {
		return 'A'
	}
	return 'U'
}

// Preferred is pg_type.typispreferred.
func Preferred(t types.OID) bool {
	switch t {
	case types.Bool, types.Float8, types.OIDType, types.Text, types.TimestampTZ, types.Interval,
		types.RegClass, types.RegType, types.RegNamespace:
		return true
	}
	return false
}

// scalarTypes are the types of the tables by pg_type.typname; an array's name is its element's with _.
var scalarTypes = map[string]types.OID{
	"bool": types.Bool, "bytea": types.Bytea, "char": types.Char, "name": types.Name,
	"int2": types.Int2, "int4": types.Int4, "int8": types.Int8, "text": types.Text, "oid": types.OIDType,
	"json": types.JSON, "float4": types.Float4, "float8": types.Float8, "bpchar": types.BPChar,
	"varchar": types.VarChar, "date": types.Date, "time": types.Time, "timestamp": types.Timestamp,
	"timestamptz": types.TimestampTZ, "interval": types.Interval, "timetz": types.TimeTZ,
	"numeric": types.Numeric, "uuid": types.UUID, "jsonb": types.JSONB,
	"regproc": types.RegProc, "regclass": types.RegClass, "regtype": types.RegType, "regnamespace": types.RegNamespace,
}

var arrayTypes = map[string]types.OID{
	"_bool": types.BoolArray, "_bytea": types.ByteaArray, "_name": types.NameArray,
	"_int2": types.Int2Array, "_int4": types.Int4Array, "_text": types.TextArray, "_bpchar": types.BPCharArray,
	"_varchar": types.VarCharArray, "_int8": types.Int8Array, "_float4": types.Float4Array,
	"_float8": types.Float8Array, "_oid": types.OIDArray, "_timestamp": types.TimestampArray,
	"_date": types.DateArray, "_time": types.TimeArray, "_timestamptz": types.TimestampTZArray,
	"_interval": types.IntervalArray, "_numeric": types.NumericArray, "_json": types.JSONArray,
	"_jsonb": types.JSONBArray, "_uuid": types.UUIDArray,
}

func isArray(t types.OID) bool {
	for _, a := range arrayTypes {
		if a == t {
			return true
		}
	}
	return false
}

func buildRegistry() *registry {
	r := &registry{
		funcs: map[string][]*Func{}, operators: map[string][]*Func{}, aggs: map[string][]*AggFunc{},
		byID: map[string]*Func{}, aggByID: map[string]*AggFunc{},
		casts: map[castPair]cast{}, io: map[castPair]*Func{},
	}
	for _, table := range []string{functionTable, castFunctionTable, systemFunctionTable} {
		for w := range tableLines(table) {
			r.addFunc(w)
		}
	}
	for w := range tableLines(operatorTable) {
		r.addOperator(w)
	}
	for w := range tableLines(aggregateTable) {
		r.addAggregate(w)
	}
	r.addIOCasts()
	for _, table := range []string{castTable, systemCastTable} {
		for w := range tableLines(table) {
			r.addCast(w)
		}
	}
	return r
}

// tableLines yields the words of each line.
func tableLines(table string) func(func([]string) bool) {
	return func(yield func([]string) bool) {
		for line := range strings.Lines(table) {
			if w := strings.Fields(line); len(w) > 0 && !yield(w) {
				return
			}
		}
	}
}

func (r *registry) addFunc(w []string) {
	f := parseSignature(w[0])
	f.Name = f.ID[:strings.IndexByte(f.ID, '(')]
	f.Ret = typeNamed(w[1])
	for _, flag := range w[2:] {
		switch flag {
		case "notstrict":
			f.NotStrict = true
		case "stable":
			f.Volatility = Stable
		case "volatile":
			f.Volatility = Volatile
		}
	}
	r.register(f)
	r.funcs[f.Name] = append(r.funcs[f.Name], f)
}

func (r *registry) addOperator(w []string) {
	f := parseSignature(w[1])
	f.Name, f.Operator, f.Ret = w[0], true, typeNamed(w[2])
	rest := w[3:]
	if n := len(rest); n > 0 && rest[n-1] == "stable" {
		f.Volatility, rest = Stable, rest[:n-1]
	}
	if len(rest) > 0 && rest[0] != "-" {
		f.Commutator = rest[0]
	}
	if len(rest) > 1 {
		f.Negator = rest[1]
	}
	r.register(f)
	r.operators[f.Name] = append(r.operators[f.Name], f)
}

func (r *registry) addAggregate(w []string) {
	s := parseSignature(w[0])
	a := &AggFunc{ID: s.ID, Name: s.ID[:strings.IndexByte(s.ID, '(')], Args: s.Args, Ret: typeNamed(w[1]), Linear: w[2] == "linear"}
	r.aggs[a.Name] = append(r.aggs[a.Name], a)
	r.aggByID[a.ID] = a
}

func (r *registry) addCast(w []string) {
	c := cast{context: map[string]CastContext{"implicit": ImplicitCast, "assignment": AssignmentCast, "explicit": ExplicitCast}[w[2]]}
	if w[3] != "-" {
		if c.fn = r.byID[w[3]]; c.fn == nil {
			panic("scalar: no function " + w[3])
		}
	}
	r.casts[castPair{typeNamed(w[0]), typeNamed(w[1])}] = c
}

// addIOCasts makes the conversions through the types' text: every type to and
// from the string types, json to jsonb.
func (r *registry) addIOCasts() {
	add := func(from, to string) {
		f := parseSignature("io(" + from + "," + to + ")")
		f.Name, f.Ret, f.Args = "io", f.Args[1], f.Args[:1]
		if zoned(f.Args[0]) || zoned(f.Ret) || named(f.Args[0]) || named(f.Ret) {
			f.Volatility = Stable
		}
		r.register(f)
		r.io[castPair{f.Args[0], f.Ret}] = f
	}
	for _, s := range []string{"text", "varchar", "bpchar", "name"} {
		for _, all := range []map[string]types.OID{scalarTypes, arrayTypes} {
			for t := range all {
				if t == s || t == "char" || Category(typeNamed(t)) == 'S' {
					continue
				}
				if t != "bool" || s == "name" { // boolean to text is a function
					add(t, s)
				}
				add(s, t)
			}
		}
	}
	add("json", "jsonb")
}

// zoned says that the text of a type's values depends on the session's time zone.
func zoned(t types.OID) bool {
	return t == types.TimestampTZ || t == types.TimeTZ || t == types.TimestampTZArray
}

// named says that the text of a type's values depends on the catalog.
func named(t types.OID) bool {
	switch t {
	case types.RegProc, types.RegClass, types.RegType, types.RegNamespace:
		return true
	}
	return false
}

func (r *registry) register(f *Func) {
	if r.byID[f.ID] != nil {
		panic("scalar: two functions " + f.ID)
	}
	r.byID[f.ID] = f
}

// parseSignature reads "name(type,type...)".
func parseSignature(sig string) *Func {
	f := &Func{ID: sig}
	args := sig[strings.IndexByte(sig, '(')+1 : len(sig)-1]
	if args == "" || args == "*" {
		return f
	}
	for _, a := range strings.Split(args, ",") {
		var repeats bool
		if a, repeats = strings.CutSuffix(a, "..."); repeats {
			f.Variadic = true
		}
		f.Args = append(f.Args, typeNamed(a))
	}
	return f
}

func typeNamed(name string) types.OID {
	if t, ok := scalarTypes[name]; ok {
		return t
	}
	if t, ok := arrayTypes[name]; ok {
		return t
	}
	switch name {
	case "any":
		return types.Any
	case "anyelement":
		return types.AnyElement
	case "void":
		return types.Void
	}
	panic(fmt.Sprintf("scalar: no type %q", name))
}
