package binder

import (
	"strconv"
	"strings"

	"github.com/helios-sql/helios-sql/sql/parser/ast"
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/types"
)

// ResolveType gives the type that a name means. 42704 if there is none, 0A000
// for serial types and for PostgreSQL's types that we do not have.
func (b *Binder) ResolveType(n ast.TypeName) (t types.Type, err error) {
	defer catch(&err)
	return b.typeName(n), nil
}

// otherTypes are PostgreSQL's types that we do not have.
var otherTypes = map[string]bool{}

func init() {
	for _, n := range strings.Fields(`regprocedure regoper regoperator regrole regconfig
		regdictionary xml money inet cidr macaddr macaddr8 point line lseg box path polygon circle bit varbit tsvector tsquery
		int4range int8range numrange tsrange tstzrange daterange int4multirange int8multirange nummultirange tsmultirange
		tstzmultirange datemultirange jsonpath pg_lsn xid xid8 cid tid txid_snapshot pg_snapshot refcursor oidvector int2vector
		cstring record void any anyelement anyarray unknown`) {
		otherTypes[n] = true
	}
}

func (b *Binder) typeName(n ast.TypeName) types.Type {
	pos := int(n.Pos)
	name := n.Name[len(n.Name)-1]
	if n.SetOf {
		failf(pgerr.InvalidTableDefinition, pos, "type %s cannot be SETOF here", name)
	}
	if len(n.Name) > 1 && n.Name[0] != "pg_catalog" {
		if !b.cat.HasSchema(n.Name[0]) {
			failf(pgerr.InvalidSchemaName, pos, "schema %q does not exist", n.Name[0])
		}
		failf(pgerr.UndefinedObject, pos, "type %q does not exist", strings.Join(n.Name, "."))
	}
	oid, ok := types.OIDByName(name)
	switch {
	case otherTypes[name]:
		unsupported(n.Pos, "type %s", name)
	case ok:
	case strings.HasSuffix(name, "serial") || strings.HasPrefix(name, "serial"):
		unsupported(n.Pos, "type %s", name)
	case len(n.Name) > 1:
		failf(pgerr.UndefinedObject, pos, "type %q does not exist", strings.Join(n.Name, "."))
	default:
		failf(pgerr.UndefinedObject, pos, "type %q does not exist", name)
	}
	t := types.Type{OID: oid, Mod: b.typeMod(n, oid)}
	if n.Array > 0 {
		if t.OID = oid.Array(); t.OID == 0 {
			unsupported(n.Pos, "type %s[]", name)
		}
	}
	return t
}

// typeMod packs the modifiers of a type as PostgreSQL's typmodin functions do.
func (b *Binder) typeMod(n ast.TypeName, t types.OID) int32 {
	pos := int(n.Pos)
	mods := make([]int, len(n.Mods))
	for i, m := range n.Mods {
		if o, ok := m.(*ast.Op); ok {
			if c := negated(o); c != nil {
				m = c
			}
		}
		c, ok := m.(*ast.Const)
		v, err := 0, error(nil)
		if ok {
			v, err = strconv.Atoi(c.Text)
		}
		if !ok || c.Kind != ast.IntegerConst && c.Kind != ast.StringConst {
			failf(pgerr.SyntaxError, int(m.Position()), "type modifiers must be simple constants or identifiers")
		}
		if err != nil {
			failf(pgerr.InvalidTextRepresentation, int(m.Position()), "invalid input syntax for type integer: \"%s\"", c.Text)
		}
		mods[i] = v
	}
	one := func() int {
		if len(mods) > 1 {
			failf(pgerr.InvalidParameterValue, pos, "invalid type modifier")
		}
		return mods[0]
	}
	switch {
	case t == types.Interval:
		p := -1
		if len(mods) > 0 {
			if p = one(); p < 0 {
				failf(pgerr.InvalidParameterValue, pos, "INTERVAL(%d) precision must not be negative", p)
			}
		}
		mod, ok := types.IntervalMod(n.Fields, min(p, 6))
		if !ok {
			unsupported(n.Pos, "type interval %s", n.Fields)
		}
		return mod
	case len(mods) == 0:
		return -1
	}
	switch t {
	case types.VarChar, types.BPChar:
		name, v := map[types.OID]string{types.VarChar: "varchar", types.BPChar: "char"}[t], one()
		if v < 1 {
			failf(pgerr.InvalidParameterValue, pos, "length for type %s must be at least 1", name)
		}
		if v > 10485760 {
			failf(pgerr.InvalidParameterValue, pos, "length for type %s cannot exceed 10485760", name)
		}
		return int32(v + 4)
	case types.Numeric:
		if len(mods) > 2 {
			failf(pgerr.InvalidParameterValue, pos, "invalid NUMERIC type modifier")
		}
		scale := 0
		if mods[0] < 1 || mods[0] > 1000 {
			failf(pgerr.InvalidParameterValue, pos, "NUMERIC precision %d must be between 1 and 1000", mods[0])
		}
		if len(mods) == 2 {
			if scale = mods[1]; scale < -1000 || scale > 1000 {
				failf(pgerr.InvalidParameterValue, pos, "NUMERIC scale %d must be between -1000 and 1000", scale)
			}
		}
		return types.NumericMod(mods[0], scale)
	case types.Time, types.TimeTZ, types.Timestamp, types.TimestampTZ:
		v := one()
		if v < 0 {
			word := map[types.OID]string{types.Time: "TIME(%d)", types.TimeTZ: "TIME(%d) WITH TIME ZONE",
				types.Timestamp: "TIMESTAMP(%d)", types.TimestampTZ: "TIMESTAMP(%d) WITH TIME ZONE"}[t]
			failf(pgerr.InvalidParameterValue, pos, word+" precision must not be negative", v)
		}
		return int32(min(v, 6))
	}
	failf(pgerr.SyntaxError, pos, "type modifier is not allowed for type %q", t.Name())
	return -1
}
