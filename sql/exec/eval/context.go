package eval

import (
	"crypto/rand"
	"strings"
	"time"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// contextFuncs are the functions that read the session, the clock or the types of their arguments.
var contextFuncs = map[string]impl{
	"now()": nowAt(false, -1), "transaction_timestamp()": nowAt(false, -1), "current_timestamp()": nowAt(false, -1),
	"current_timestamp(int4)": builder(precise(func(mod int32) fn0 { return nowAt(false, mod) })),
	"localtimestamp()":        nowAt(true, -1),
	"localtimestamp(int4)":    builder(precise(func(mod int32) fn0 { return nowAt(true, mod) })),
	"statement_timestamp()": fn0(func(f *Frame) (types.Datum, error) {
		if f.ctx.Statement != 0 {
			return types.DInt(f.ctx.Statement), nil
		}
		return types.DInt(f.ctx.Now), nil
	}),
	"clock_timestamp()": fn0(func(*Frame) (types.Datum, error) {
		return types.DInt(time.Now().UnixMicro() - epochMicros), nil
	}),
	"current_date()": fn0(func(f *Frame) (types.Datum, error) {
		return timestampToDate(f, f.local(types.DInt(f.ctx.Now)))
	}),
	"localtime()":        timeNow(-1),
	"localtime(int4)":    builder(precise(timeNow)),
	"current_time()":     timetzNow(-1),
	"current_time(int4)": builder(precise(timetzNow)),

	"current_user()": fn0(currentUser), "current_role()": fn0(currentUser), "user()": fn0(currentUser),
	"session_user()": fn0(func(f *Frame) (types.Datum, error) {
		if f.ctx.Session != "" {
			return f.keepString(f.ctx.Session), nil
		}
		return currentUser(f)
	}),
	"current_database()": fn0(currentDatabase), "current_catalog()": fn0(currentDatabase),
	"current_schema()": fn0(func(f *Frame) (types.Datum, error) {
		if f.ctx.Schema != "" {
			return f.keepString(f.ctx.Schema), nil
		}
		return f.keepString("public"), nil
	}),
	"version()":             fn0(func(f *Frame) (types.Datum, error) { return f.keepString(f.ctx.Version), nil }),
	"pg_backend_pid()":      fn0(func(f *Frame) (types.Datum, error) { return types.DInt(int64(f.ctx.SessionID)), nil }),
	"getdatabaseencoding()": fn0(func(f *Frame) (types.Datum, error) { return f.keepString("UTF8"), nil }),
	"pg_client_encoding()":  fn0(func(f *Frame) (types.Datum, error) { return f.keepString("UTF8"), nil }),
	"current_setting(text)": fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
		return currentSetting(f, a, types.DBool(false))
	}),
	"current_setting(text,bool)": fn2(currentSetting),
	"pg_typeof(any)":             builder(typeOf),
	"gen_random_uuid()":          fn0(randomUUID),
}

// epochMicros is 2000-01-01 in µs since 1970.
const epochMicros = 946684800 * 1_000_000

// precise makes a builder of a function whose argument is a constant precision.
func precise(at func(mod int32) fn0) builder {
	return func(c *compiler, call *scalar.Call) (impl, error) {
		k, ok := constArg(call, 0)
		if !ok || k.I < 0 {
			return nil, pgerr.Newf(pgerr.InvalidParameterValue, "%s precision must be a constant and not negative", strings.ToUpper(call.Fn.Name)).At(call.Pos)
		}
		return evalFn(at(int32(min(k.I, 6)))), nil
	}
}

// roundTo rounds µs to a precision of decimals; −1 leaves them.
func roundTo(us int64, mod int32) int64 {
	if mod < 0 || mod >= 6 {
		return us
	}
	unit := int64(1)
	for range 6 - mod {
		unit *= 10
	}
	if us < 0 {
		return -((-us + unit/2) / unit * unit)
	}
	return (us + unit/2) / unit * unit
}

func nowAt(local bool, mod int32) fn0 {
	return func(f *Frame) (types.Datum, error) {
		d := types.DInt(f.ctx.Now)
		if local {
			d = f.local(d)
		}
		return types.DInt(roundTo(d.I, mod)), nil
	}
}

func timeNow(mod int32) fn0 {
	return func(f *Frame) (types.Datum, error) {
		d, err := timestampToTime(f, f.local(types.DInt(f.ctx.Now)))
		return types.DInt(roundTo(d.I, mod)), err
	}
}

func timetzNow(mod int32) fn0 {
	return func(f *Frame) (types.Datum, error) {
		us, err := timeNow(mod)(f)
		v := types.TimeTZValue{Micros: us.I, West: int32(-types.UTCOffset(f.zone(), f.ctx.Now))}
		return f.keep(types.AppendTimeTZ(f.out(), v)), err
	}
}

func currentUser(f *Frame) (types.Datum, error) { return f.keepString(f.ctx.User), nil }

func currentDatabase(f *Frame) (types.Datum, error) { return f.keepString(f.ctx.Database), nil }

func currentSetting(f *Frame, a, missingOK types.Datum) (types.Datum, error) {
	if f.ctx.Setting != nil {
		if v, ok := f.ctx.Setting(strings.ToLower(string(a.B))); ok {
			return f.keepString(v), nil
		}
	}
	if missingOK.I != 0 {
		return types.NullDatum, nil
	}
	return a, pgerr.Newf(pgerr.UndefinedObject, "unrecognized configuration parameter \"%s\"", a.B)
}

func typeOf(c *compiler, call *scalar.Call) (impl, error) {
	oid := call.Args[0].Type().OID
	name := types.DString(oid.String())
	switch oid {
	case types.BPChar:
		name = types.DString("character")
	case types.BPCharArray:
		name = types.DString("character[]")
	}
	return evalFn(func(*Frame) (types.Datum, error) { return name, nil }), nil
}

func randomUUID(f *Frame) (types.Datum, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return types.Datum{}, err
	}
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return f.keep(append(f.out(), b[:]...)), nil
}
