package scalar

import (
	"strings"

	"github.com/helios-sql/helios-sql/sql/types"
)

// CanError reports whether evaluating e may raise an error for some row. It
// may say true of what never does, never the reverse.
func CanError(e Expr) bool {
	found := false
	Walk(e, func(e Expr) bool {
		if c, ok := e.(*Call); ok && !total(c.Fn) && !totalCall(c) {
			found = true
		}
		return !found
	})
	return found
}

// totalCall says that a call cannot raise an error because of a constant argument:
// a pattern of LIKE that does not end in the escape character, a unit that dates have.
func totalCall(c *Call) bool {
	if len(c.Args) != 2 {
		return false
	}
	switch c.Fn.Name {
	case "~~", "!~~", "~~*", "!~~*", "like", "notlike":
		k, ok := c.Args[1].(*Const)
		if !ok {
			return false
		}
		p := k.Value.B
		for i := 0; i < len(p); i++ {
			if p[i] == '\\' {
				if i++; i == len(p) {
					return false
				}
			}
		}
		return true
	case "extract":
		k, ok := c.Args[0].(*Const)
		if !ok || c.Fn.Args[1] != types.Date && c.Fn.Args[1] != types.Timestamp && c.Fn.Args[1] != types.TimestampTZ {
			return false
		}
		switch string(k.Value.B) {
		case "year", "quarter", "month", "week", "day", "dow", "isodow", "doy", "isoyear", "decade", "century", "millennium":
			return true
		}
	}
	return false
}

// total says that a function never raises an error.
func total(f *Func) bool {
	if f.Operator {
		switch f.Name {
		case "=", "<>", "<", "<=", ">", ">=":
			return true
		case "||":
			return f.Args[0] == types.Text && f.Args[1] == types.Text || f.Args[0] == types.Bytea
		case "&", "|", "#", "~", "<<", ">>":
			return Category(f.Args[0]) == 'N'
		case "@>", "<@", "?", "?|", "?&", "->", "->>", "#>>", "#>":
			return f.Args[0] == types.JSONB && (len(f.Args) < 2 || !isArray(f.Args[1]))
		}
		return false
	}
	if strings.HasPrefix(f.ID, "io(") {
		return Category(f.Ret) == 'S'
	}
	return totalFuncs[f.ID]
}

var totalFuncs = func() map[string]bool {
	m := map[string]bool{}
	for _, id := range strings.Fields(`
		length(text) length(bpchar) length(bytea) char_length(text) char_length(bpchar)
		character_length(text) character_length(bpchar) octet_length(text) octet_length(bytea) octet_length(bpchar)
		bit_length(text) bit_length(bytea) lower(text) upper(text) initcap(text)
		left(text,int4) right(text,int4) btrim(text) ltrim(text) rtrim(text) btrim(text,text) ltrim(text,text) rtrim(text,text)
		reverse(text) strpos(text,text) position(text,text) starts_with(text,text) md5(text) md5(bytea)
		to_hex(int4) to_hex(int8) quote_ident(text) quote_literal(text) quote_nullable(text) ascii(text)
		translate(text,text,text) substr(text,int4) substring(text,int4)
		concat(any...) concat_ws(text,any...) replace(text,text,text)
		substr(bytea,int4) substring(bytea,int4) position(bytea,bytea) btrim(bytea,bytea) ltrim(bytea,bytea) rtrim(bytea,bytea)
		sha224(bytea) sha256(bytea) sha384(bytea) sha512(bytea) bit_count(bytea)
		isfinite(date) isfinite(timestamp) isfinite(timestamptz) isfinite(interval) pi()
		jsonb_typeof(jsonb) json_typeof(json)
		abs(float4) abs(float8) abs(numeric) sign(float8) sign(numeric) ceil(float8) ceiling(float8) floor(float8) round(float8) trunc(float8)
		ceil(numeric) ceiling(numeric) floor(numeric) round(numeric) trunc(numeric)
		int8(int2) int8(int4) int4(int2) float4(int2) float4(int4) float4(int8) float8(int2) float8(int4) float8(int8) float8(float4)
		numeric(int2) numeric(int4) numeric(int8) numeric(float4) numeric(float8)
		int8(oid) oid(int4) oid(int2) int4(oid) int4(bool) bool(int4) int4(char)
		text(bool) text(bpchar) text(char) text(name) bpchar(char) bpchar(name) varchar(name) name(text) name(bpchar) name(varchar) char(text)
		timestamp(timestamptz) date(timestamptz) time(timestamptz) timetz(timestamptz)
		date(timestamp) time(timestamp) time(interval) time(timetz) interval(time)
		num_nulls(any...) num_nonnulls(any...) pg_typeof(any)
		now() current_date() current_timestamp() localtimestamp() transaction_timestamp() version() current_user() session_user() current_database() current_schema()
	`) {
		m[id] = true
	}
	return m
}()

// StrictOn is the set of columns of which any being NULL makes e NULL.
func StrictOn(e Expr) ColSet {
	switch e := e.(type) {
	case *Column:
		return Cols(e.Index)
	case *Call:
		var s ColSet
		if !e.Fn.NotStrict {
			for _, a := range e.Args {
				s.AddAll(StrictOn(a))
			}
		}
		return s
	case *Not:
		return StrictOn(e.X)
	case *InList:
		return StrictOn(e.X)
	case *Logic:
		return intersection(e.Args, StrictOn)
	case *Coalesce:
		return intersection(e.Args, StrictOn)
	case *MinMax:
		return intersection(e.Args, StrictOn)
	}
	return ColSet{}
}

// IsStrictOn reports whether e is NULL for every row in which all of cols are NULL.
func IsStrictOn(e Expr, cols ColSet) bool { return nullWhen(e, cols) }

// nullWhen: e is NULL when all of cols are.
func nullWhen(e Expr, cols ColSet) bool {
	every := func(args []Expr) bool {
		for _, a := range args {
			if !nullWhen(a, cols) {
				return false
			}
		}
		return true
	}
	switch e := e.(type) {
	case *Column:
		return cols.Has(e.Index)
	case *Const:
		return e.Value.Null
	case *Call:
		if e.Fn.NotStrict {
			return false
		}
		for _, a := range e.Args {
			if nullWhen(a, cols) {
				return true
			}
		}
		return false
	case *Not:
		return nullWhen(e.X, cols)
	case *InList:
		return nullWhen(e.X, cols)
	case *Logic:
		return every(e.Args)
	case *Coalesce:
		return every(e.Args)
	case *MinMax:
		return every(e.Args)
	}
	return false
}

// NullRejecting reports whether pred is not true for any row in which all of
// cols are NULL, so that an outer join which supplies them as NULLs is an inner one.
func NullRejecting(pred Expr, cols ColSet) bool {
	if nullWhen(pred, cols) {
		return true
	}
	switch e := pred.(type) {
	case *Logic:
		for _, a := range e.Args {
			if NullRejecting(a, cols) != e.Or {
				return !e.Or
			}
		}
		return e.Or
	case *Const:
		return e.Value.Null || e.Value.I == 0
	case *Not:
		return falseRejecting(e.X, cols)
	case *IsNull:
		return e.Neg && nullWhen(e.X, cols)
	case *IsBool:
		switch {
		case e.Neg:
			return false
		case e.Want:
			return NullRejecting(e.X, cols)
		}
		return falseRejecting(e.X, cols)
	}
	return false
}

// falseRejecting: e is not false when all of cols are NULL.
func falseRejecting(e Expr, cols ColSet) bool {
	if nullWhen(e, cols) {
		return true
	}
	switch e := e.(type) {
	case *Not:
		return NullRejecting(e.X, cols)
	case *IsNull:
		return !e.Neg && nullWhen(e.X, cols)
	case *Const:
		return e.Value.Null || e.Value.I != 0
	case *Logic:
		for _, a := range e.Args {
			if falseRejecting(a, cols) == e.Or {
				return e.Or
			}
		}
		return !e.Or
	}
	return false
}

// intersection of the sets of all arguments.
func intersection(args []Expr, set func(Expr) ColSet) ColSet {
	var s ColSet
	for i, a := range args {
		o := set(a)
		if i == 0 {
			s.AddAll(o)
			continue
		}
		var both ColSet
		for c := range s.All() {
			if o.Has(c) {
				both.Add(c)
			}
		}
		s = both
	}
	return s
}
