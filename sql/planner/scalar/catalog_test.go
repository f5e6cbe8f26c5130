package scalar

import (
	"testing"

	"github.com/helios-sql/helios-sql/sql/types"
)

func TestCatalog(t *testing.T) {
	if len(Operators("+")) < 20 || len(Functions("round")) != 3 || len(Aggregates("sum")) != 7 {
		t.Fatal("tables incomplete")
	}
	for _, c := range []struct {
		from, to types.OID
		ctx      CastContext
		method   CastMethod
		id       string
	}{
		{types.Int4, types.Int8, ImplicitCast, FuncCast, "int8(int4)"},
		{types.Int8, types.Int4, ImplicitCast, NoCast, ""},
		{types.Int8, types.Int4, AssignmentCast, FuncCast, "int4(int8)"},
		{types.Int4, types.Text, ImplicitCast, NoCast, ""},
		{types.Int4, types.Text, AssignmentCast, FuncCast, "io(int4,text)"},
		{types.Text, types.Int4, AssignmentCast, NoCast, ""},
		{types.Text, types.Int4, ExplicitCast, FuncCast, "io(text,int4)"},
		{types.Text, types.VarChar, ImplicitCast, Relabel, ""},
		{types.BPChar, types.VarChar, ImplicitCast, FuncCast, "text(bpchar)"},
		{types.Unknown, types.Date, ImplicitCast, Unresolved, ""},
		{types.JSON, types.JSONB, AssignmentCast, FuncCast, "io(json,jsonb)"},
		{types.Bool, types.Int8, ExplicitCast, NoCast, ""},
		{types.TextArray, types.Text, AssignmentCast, FuncCast, "io(_text,text)"},
	} {
		m, f := FindCast(c.from, c.to, c.ctx)
		var id string
		if f != nil {
			id = f.ID
		}
		if m != c.method || id != c.id {
			t.Errorf("FindCast(%d, %d, %d) = %d, %q; want %d, %q", c.from, c.to, c.ctx, m, id, c.method, c.id)
		}
	}
	if f := LengthCast(types.Type{OID: types.Numeric, Mod: 655366}); f == nil || f.Args[1] != types.Int4 {
		t.Error("no length cast for numeric(10,2)")
	}
}
