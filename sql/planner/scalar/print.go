package scalar

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/helios-sql/helios-sql/sql/types"
)

// String prints an expression for people: SQL as far as it goes, columns as
// name#position, every operator in parentheses.
func String(e Expr) string { return string(appendExpr(nil, e)) }

// AggString prints an aggregate call.
func AggString(a Agg) string {
	var b []byte
	b = append(b, a.Fn.Name...)
	b = append(b, '(')
	if a.Distinct {
		b = append(b, "DISTINCT "...)
	}
	if len(a.Args) == 0 {
		b = append(b, '*')
	}
	b = append(appendList(b, a.Args), ')')
	if a.Filter != nil {
		b = append(b, " FILTER (WHERE "...)
		b = append(appendExpr(b, a.Filter), ')')
	}
	return string(b)
}

func appendList(b []byte, args []Expr) []byte {
	for i, a := range args {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = appendExpr(b, a)
	}
	return b
}

func appendExpr(b []byte, e Expr) []byte {
	switch e := e.(type) {
	case *Column:
		b = append(append(b, e.Name...), '#')
		return strconv.AppendInt(b, int64(e.Index), 10)
	case *Const:
		return appendConst(b, e.Typ, e.Value)
	case *Param:
		return strconv.AppendInt(append(b, '$'), int64(e.N), 10)
	case *Call:
		return appendCall(b, e)
	case *Logic:
		word := " AND "
		if e.Or {
			word = " OR "
		}
		for i, a := range e.Args {
			if i == 0 {
				b = append(b, '(')
			} else {
				b = append(b, word...)
			}
			b = appendExpr(b, a)
		}
		return append(b, ')')
	case *Not:
		return append(appendExpr(append(b, "(NOT "...), e.X), ')')
	case *IsNull:
		return append(append(appendExpr(append(b, '('), e.X), is(e.Neg)...), "NULL)"...)
	case *IsBool:
		b = append(appendExpr(append(b, '('), e.X), is(e.Neg)...)
		return append(append(b, strings.ToUpper(strconv.FormatBool(e.Want))...), ')')
	case *Distinct:
		b = append(appendExpr(append(b, '('), e.L), is(e.Neg)...)
		return append(appendExpr(append(b, "DISTINCT FROM "...), e.R), ')')
	case *Case:
		b = append(b, "CASE"...)
		for _, w := range e.Whens {
			b = appendExpr(append(b, " WHEN "...), w.Cond)
			b = appendExpr(append(b, " THEN "...), w.Result)
		}
		if e.Else != nil {
			b = appendExpr(append(b, " ELSE "...), e.Else)
		}
		return append(b, " END"...)
	case *Coalesce:
		return append(appendList(append(b, "COALESCE("...), e.Args), ')')
	case *MinMax:
		word := "LEAST("
		if e.Greatest {
			word = "GREATEST("
		}
		return append(appendList(append(b, word...), e.Args), ')')
	case *InList:
		b = appendExpr(append(b, '('), e.X)
		if e.Neg {
			b = append(b, " NOT"...)
		}
		b = append(b, " IN ("...)
		for i, d := range e.List {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = appendConst(b, e.X.Type(), d)
		}
		if e.HasNull {
			b = append(b, ", NULL"...)
		}
		return append(b, "))"...)
	}
	panic(fmt.Sprintf("scalar: unknown expression %T", e))
}

func is(neg bool) string {
	if neg {
		return " IS NOT "
	}
	return " IS "
}

func appendCall(b []byte, e *Call) []byte {
	switch {
	case e.Fn.Operator && len(e.Args) == 1:
		b = append(append(append(b, '('), e.Fn.Name...), ' ')
		return append(appendExpr(b, e.Args[0]), ')')
	case e.Fn.Operator:
		b = append(appendExpr(append(b, '('), e.Args[0]), ' ')
		b = append(append(b, e.Fn.Name...), ' ')
		return append(appendExpr(b, e.Args[1]), ')')
	case isCast(e.Fn):
		b = append(appendExpr(b, e.Args[0]), "::"...)
		return append(b, e.Typ.String()...)
	}
	return append(appendList(append(append(b, e.Fn.Name...), '('), e.Args), ')')
}

// isCast says that a function is printed as a cast to its type.
func isCast(f *Func) bool {
	if f.Name == "io" {
		return true
	}
	t, ok := scalarTypes[f.Name]
	return ok && t == f.Ret && (len(f.Args) == 1 || len(f.Args) > 1 && f.Args[1] == types.Int4)
}

func appendConst(b []byte, t types.Type, d types.Datum) []byte {
	if d.Null {
		return append(b, "NULL"...)
	}
	text := new(types.Format).DatumText(t.OID, d)
	switch t.OID {
	case types.Int4, types.Numeric:
		if text[0] == '-' {
			return append(append(append(b, '('), text...), ')')
		}
		return append(b, text...)
	case types.Bool:
		return strconv.AppendBool(b, d.I != 0)
	}
	b = append(b, '\'')
	b = append(b, strings.ReplaceAll(text, "'", "''")...)
	b = append(b, '\'')
	if t.OID != types.Text {
		b = append(append(b, "::"...), t.String()...)
	}
	return b
}

// Tags of a fingerprint.
const (
	fpColumn = iota + 1
	fpConst
	fpParam
	fpCall
	fpLogic
	fpNot
	fpIsNull
	fpIsBool
	fpDistinct
	fpCase
	fpCoalesce
	fpMinMax
	fpInList
	fpAgg
	fpNone
)

// AppendFingerprint appends a self-delimiting encoding of e that two
// expressions share exactly when they are the same: types, function IDs, column
// positions and constants count, names and positions in the text do not. It is durable.
func AppendFingerprint(dst []byte, e Expr) []byte {
	switch e := e.(type) {
	case nil:
		return append(dst, fpNone)
	case *Column:
		dst = binary.AppendUvarint(append(dst, fpColumn), uint64(e.Index))
		return appendType(dst, e.Typ)
	case *Const:
		dst = appendType(append(dst, fpConst), e.Typ)
		return types.AppendDatum(dst, e.Typ.OID, e.Value)
	case *Param:
		dst = binary.AppendUvarint(append(dst, fpParam), uint64(e.N))
		return appendType(dst, e.Typ)
	case *Call:
		dst = appendString(append(dst, fpCall), e.Fn.ID)
		return appendArgs(appendType(dst, e.Typ), e.Args)
	case *Logic:
		return appendArgs(append(dst, fpLogic, flags(e.Or)), e.Args)
	case *Not:
		return AppendFingerprint(append(dst, fpNot), e.X)
	case *IsNull:
		return AppendFingerprint(append(dst, fpIsNull, flags(e.Neg)), e.X)
	case *IsBool:
		return AppendFingerprint(append(dst, fpIsBool, flags(e.Want, e.Neg)), e.X)
	case *Distinct:
		dst = appendString(append(dst, fpDistinct, flags(e.Neg)), e.Eq.ID)
		return AppendFingerprint(AppendFingerprint(dst, e.L), e.R)
	case *Case:
		dst = appendType(append(dst, fpCase, flags(e.Else != nil)), e.Typ)
		return appendArgs(dst, Children(e))
	case *Coalesce:
		return appendArgs(appendType(append(dst, fpCoalesce), e.Typ), e.Args)
	case *MinMax:
		return appendArgs(appendType(append(dst, fpMinMax, flags(e.Greatest)), e.Typ), e.Args)
	case *InList:
		dst = AppendFingerprint(append(dst, fpInList, flags(e.HasNull, e.Neg)), e.X)
		dst = binary.AppendUvarint(dst, uint64(len(e.List)))
		for _, d := range e.List {
			dst = types.AppendDatum(dst, e.X.Type().OID, d)
		}
		return dst
	}
	panic(fmt.Sprintf("scalar: unknown expression %T", e))
}

// AppendAggFingerprint is AppendFingerprint for an aggregate.
func AppendAggFingerprint(dst []byte, a Agg) []byte {
	dst = appendString(append(dst, fpAgg, flags(a.Distinct)), a.Fn.ID)
	dst = appendArgs(appendType(dst, a.Typ), a.Args)
	return AppendFingerprint(dst, a.Filter)
}

func appendArgs(dst []byte, args []Expr) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(args)))
	for _, a := range args {
		dst = AppendFingerprint(dst, a)
	}
	return dst
}

func appendType(dst []byte, t types.Type) []byte {
	return binary.AppendVarint(binary.AppendUvarint(dst, uint64(t.OID)), int64(t.Mod))
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func flags(bits ...bool) byte {
	var f byte
	for i, b := range bits {
		if b {
			f |= 1 << i
		}
	}
	return f
}
