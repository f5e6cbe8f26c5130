package engine

import (
	_ "embed"
	"strings"
	"sync"

	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// The catalogs of types, functions and operators.
func init() {
	tableContents["pg_catalog.pg_type"] = typeRows
	tableContents["pg_catalog.pg_proc"] = procRows
	tableContents["pg_catalog.pg_operator"] = operatorRows
	tableContents["pg_catalog.pg_cast"] = castRows
	tableContents["pg_catalog.pg_opclass"] = opclassRows
	tableContents["pg_catalog.pg_opfamily"] = opfamilyRows
}

// The facts of PostgreSQL 15's functions over the types that we may have: name, then
// OID(arguments)result:flags of every overload, the flags being volatility, s(trict) or n,
// kind, and r for a set. A name with + has further overloads in PostgreSQL.
//
//go:embed pgcatalog/functions.txt
var functionFactLines string

// The operators: OID, symbol, function(arguments), result, commutator,
// negator, restriction and join estimator, whether it merges and hashes.
//
//go:embed pgcatalog/operators.txt
var operatorFactLines string

// The casts: OID, from, to, function, context, method.
//
//go:embed pgcatalog/casts.txt
var castFactLines string

// A funcFact is what PostgreSQL says of a function.
type funcFact struct {
	oid                oid
	id                 string // name(arguments), as scalar.Func.ID
	name               string
	args               []string
	result             string
	volatility, kind   byte
	strict, returnsSet bool
	used               bool // we have it, or a type has it
	more               bool // PostgreSQL has further overloads of the name
}

// funcFacts are the functions by OID's place in the list, and by ID.
var funcFacts = sync.OnceValues(func() ([]*funcFact, map[string]*funcFact) {
	var all []*funcFact
	byID, io := map[string]*funcFact{}, map[oid]bool{}
	for _, t := range typeFacts() {
		for _, f := range []oid{t.input, t.output, t.receive, t.send, t.modIn, t.modOut, t.analyze, t.subscript} {
			io[f] = true
		}
	}
	for line := range strings.Lines(functionFactLines) {
		words := strings.Fields(line)
		name, more := strings.CutSuffix(words[0], "+")
		for _, w := range words[1:] {
			id, rest, _ := strings.Cut(w, "(")
			args, rest, _ := strings.Cut(rest, ")")
			result, flags, _ := strings.Cut(rest, ":")
			f := &funcFact{oid: oid(parseFact(id)), id: name + "(" + args + ")", name: name, result: result, more: more,
				volatility: flags[0], strict: flags[1] == 's', kind: flags[2], returnsSet: strings.HasSuffix(flags, "r")}
			if args != "" {
				f.args = strings.Split(args, ",")
			}
			f.used = io[f.oid] || scalar.FuncByID(f.id) != nil || scalar.AggByID(f.id) != nil
			all, byID[f.id] = append(all, f), f
		}
	}
	return all, byID
})

func typeRows(_ *Session, _ *readView, t *tuple) {
	for _, f := range typeFacts() {
		t.oid("oid", oid(f.oid)).text("typname", f.name).int("typlen", f.len).bool("typbyval", f.byVal).char("typtype", f.kind).
			char("typcategory", f.category).bool("typispreferred", f.preferred).oid("typsubscript", f.subscript).oid("typelem", f.elem).
			oid("typarray", oid(f.oid.Array())).oid("typinput", f.input).oid("typoutput", f.output).oid("typreceive", f.receive).oid("typsend", f.send).
			oid("typmodin", f.modIn).oid("typmodout", f.modOut).oid("typanalyze", f.analyze).char("typalign", f.align).
			char("typstorage", f.storage).oid("typcollation", f.collation)
		t.end()
	}
}

// pseudoTypes are types of arguments and results that no value here has.
var pseudoTypes = map[string]oid{"internal": 2281, "cstring": 2275, "anyarray": 2277, "oidvector": 30, "trigger": 2279}

func typeOID(name string) (oid, bool) {
	if id, ok := types.OIDByName(name); ok {
		return oid(id), true
	}
	id, ok := pseudoTypes[name]
	return id, ok
}

func procRows(_ *Session, _ *readView, t *tuple) {
	all, _ := funcFacts()
	for _, f := range all {
		result, ok := typeOID(f.result)
		if !f.used || !ok {
			continue
		}
		var args []oid
		for _, a := range f.args {
			id, _ := typeOID(a)
			args = append(args, id)
		}
		t.oid("oid", f.oid).text("proname", f.name).char("prokind", f.kind).bool("proisstrict", f.strict).bool("proretset", f.returnsSet).
			char("provolatile", f.volatility).int("pronargs", int64(len(args))).oid("prorettype", result).text("proargtypes", vector(args)).
			text("prosrc", f.name).end()
	}
}

func operatorRows(_ *Session, _ *readView, t *tuple) {
	_, byID := funcFacts()
	for line := range strings.Lines(operatorFactLines) {
		w := strings.Fields(line)
		fn := scalar.FuncByID(w[2])
		if fn == nil || !fn.Operator {
			continue
		}
		t.int("oid", parseFact(w[0])).text("oprname", w[1]).oid("oprright", oid(fn.Args[len(fn.Args)-1])).oid("oprresult", oid(fn.Ret)).
			oid("oprcode", byID[w[2]].oid).int("oprcom", parseFact(w[4])).int("oprnegate", parseFact(w[5])).
			int("oprrest", parseFact(w[6])).int("oprjoin", parseFact(w[7])).bool("oprcanmerge", w[8] == "t").bool("oprcanhash", w[9] == "t")
		if len(fn.Args) == 2 {
			t.char("oprkind", 'b').oid("oprleft", oid(fn.Args[0])).end()
		} else {
			t.char("oprkind", 'l').end()
		}
	}
}

func castRows(_ *Session, _ *readView, t *tuple) {
	contexts := map[string]scalar.CastContext{"i": scalar.ImplicitCast, "a": scalar.AssignmentCast, "e": scalar.ExplicitCast}
	for line := range strings.Lines(castFactLines) {
		w := strings.Fields(line)
		from, to := types.OID(parseFact(w[1])), types.OID(parseFact(w[2]))
		if !from.Known() || !to.Known() {
			continue
		}
		if m, _ := scalar.FindCast(from, to, contexts[w[4]]); m == scalar.NoCast {
			continue
		}
		t.int("oid", parseFact(w[0])).oid("castsource", oid(from)).oid("casttarget", oid(to)).int("castfunc", parseFact(w[3])).
			char("castcontext", w[4][0]).char("castmethod", w[5][0]).end()
	}
}

// operatorClasses are the default btree operator classes of our types.
var operatorClasses = []struct {
	oid    oid
	name   string
	family oid
	input  types.OID
}{
	{1978, "int4_ops", 1976, types.Int4}, {1979, "int2_ops", 1976, types.Int2}, {1981, "oid_ops", 1989, types.OIDType},
	{3122, "date_ops", 434, types.Date}, {3123, "float8_ops", 1970, types.Float8}, {3124, "int8_ops", 1976, types.Int8},
	{3125, "numeric_ops", 1988, types.Numeric}, {3126, "text_ops", 1994, types.Text}, {3127, "timestamptz_ops", 434, types.TimestampTZ},
	{3128, "timestamp_ops", 434, types.Timestamp}, {10000, "array_ops", 397, anyArray}, {10003, "bool_ops", 424, types.Bool},
	{10004, "bpchar_ops", 426, types.BPChar}, {10006, "bytea_ops", 428, types.Bytea}, {10007, "char_ops", 429, types.Char},
	{10012, "float4_ops", 1970, types.Float4}, {10022, "interval_ops", 1982, types.Interval}, {10028, "name_ops", 1994, types.Name},
	{10034, "record_ops", 2994, types.Record}, {10038, "time_ops", 1996, types.Time}, {10041, "timetz_ops", 2000, types.TimeTZ},
	{10065, "uuid_ops", 2968, types.UUID}, {10088, "jsonb_ops", 4033, types.JSONB},
}

const anyArray types.OID = 2277

// operatorClassOf is the operator class of an index over a type.
func operatorClassOf(f *typeFact) oid {
	t := f.oid
	switch {
	case t == types.VarChar:
		t = types.Text
	case f.category == 'A':
		t = anyArray
	}
	for _, c := range operatorClasses {
		if c.input == t {
			return c.oid
		}
	}
	return 0
}

func opclassRows(_ *Session, _ *readView, t *tuple) {
	for _, c := range operatorClasses {
		t.oid("oid", c.oid).text("opcname", c.name).oid("opcfamily", c.family).oid("opcintype", oid(c.input)).end()
	}
}

func opfamilyRows(_ *Session, _ *readView, t *tuple) {
	for _, f := range []struct {
		oid  oid
		name string
	}{
		{397, "array_ops"}, {424, "bool_ops"}, {426, "bpchar_ops"}, {428, "bytea_ops"}, {429, "char_ops"}, {434, "datetime_ops"},
		{1970, "float_ops"}, {1976, "integer_ops"}, {1982, "interval_ops"}, {1988, "numeric_ops"}, {1989, "oid_ops"}, {1994, "text_ops"},
		{1996, "time_ops"}, {2000, "timetz_ops"}, {2968, "uuid_ops"}, {2994, "record_ops"}, {4033, "jsonb_ops"},
	} {
		t.oid("oid", f.oid).text("opfname", f.name).end()
	}
}
