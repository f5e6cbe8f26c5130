package eval

import (
	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// jsonBuildFuncs make json and jsonb of SQL's values.
var jsonBuildFuncs = map[string]impl{
	"to_json(anyelement)": builder(toJSON), "to_jsonb(anyelement)": builder(toJSON),
	"json_build_array()": jsonText("[]"), "jsonb_build_array()": jsonText("[]"),
	"json_build_object()": jsonText("{}"), "jsonb_build_object()": jsonText("{}"),
	"json_build_array(any...)": builder(buildJSONArray), "jsonb_build_array(any...)": builder(buildJSONArray),
	"json_build_object(any...)": builder(buildJSONObject), "jsonb_build_object(any...)": builder(buildJSONObject),
}

func jsonText(s string) fn0 {
	return func(f *Frame) (types.Datum, error) { return f.keepString(s), nil }
}

// keepJSON keeps a JSON text, in jsonb's form where that is asked for.
func (f *Frame) keepJSON(text []byte, binary bool) (types.Datum, error) {
	if !binary {
		return f.keep(text), nil
	}
	text = f.keep(text).B
	return f.keepErr(types.JSONBFromText(f.out(), text))
}

// toJSON compiles to_json and to_jsonb.
func toJSON(c *compiler, call *scalar.Call) (impl, error) {
	t, binary := call.Args[0].Type().OID, call.Fn.Ret == types.JSONB
	if err := checkJSONType(t, call); err != nil {
		return nil, err
	}
	if t == types.JSON && !binary || t == types.JSONB && binary {
		return fn1(same), nil
	}
	return fn1(func(f *Frame, a types.Datum) (types.Datum, error) {
		return f.keepJSON(f.appendJSON(f.out(), t, a), binary)
	}), nil
}

func checkJSONType(t types.OID, call *scalar.Call) error {
	if t == types.Record {
		return pgerr.Unsupported(call.Pos, "%s of type %s", call.Fn.Name, t)
	}
	return nil
}

// appendJSON appends a value as to_json writes it.
func (f *Frame) appendJSON(dst []byte, t types.OID, d types.Datum) []byte {
	if d.Null {
		return append(dst, "null"...)
	}
	if t.Elem() != 0 {
		a := types.DecodeArray(t.Elem(), d.B)
		if len(a.Elems) == 0 {
			return append(dst, "[]"...)
		}
		dst, _ = f.appendJSONDim(dst, a, 0, a.Elems)
		return dst
	}
	switch t {
	case types.JSON, types.JSONB:
		return append(dst, d.B...)
	case types.Bool:
		return castText(f, dst, t, d)
	case types.Int2, types.Int4, types.Int8, types.Float4, types.Float8, types.Numeric:
		start := len(dst)
		dst = f.appendText(dst, t, d)
		if c := dst[len(dst)-1]; '0' <= c && c <= '9' {
			return dst
		}
		return append(append(append(dst[:start], '"'), f.appendText(nil, t, d)...), '"')
	}
	return types.AppendJSONString(dst, f.jsonScalarText(t, d))
}

// jsonScalarText is the text of a value in JSON: timestamps as ISO 8601 has them.
func (f *Frame) jsonScalarText(t types.OID, d types.Datum) []byte {
	text := castText(f, nil, t, d)
	switch t {
	case types.BPChar:
		return d.B
	case types.Timestamp, types.TimestampTZ:
		return isoTimestamp(text, t == types.TimestampTZ)
	}
	return text
}

// appendJSONDim appends one dimension of an array, and gives the elements that follow.
func (f *Frame) appendJSONDim(dst []byte, a *types.Array, dim int, elems []types.Datum) ([]byte, []types.Datum) {
	dst = append(dst, '[')
	for i := range a.Dims[dim].Len {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dim+1 < len(a.Dims) {
			dst, elems = f.appendJSONDim(dst, a, dim+1, elems)
			continue
		}
		dst, elems = f.appendJSON(dst, a.Elem, elems[0]), elems[1:]
	}
	return append(dst, ']'), elems
}

func buildJSONArray(c *compiler, call *scalar.Call) (impl, error) {
	ts, binary := argTypes(call.Args), call.Fn.Ret == types.JSONB
	for _, t := range ts {
		if err := checkJSONType(t, call); err != nil {
			return nil, err
		}
	}
	return fnN(func(f *Frame, args []types.Datum) (types.Datum, error) {
		out := append(f.out(), '[')
		for i, a := range args {
			if i > 0 {
				out = append(out, ", "...)
			}
			out = f.appendJSON(out, ts[i], a)
		}
		return f.keepJSON(append(out, ']'), binary)
	}), nil
}

func buildJSONObject(c *compiler, call *scalar.Call) (impl, error) {
	ts, binary := argTypes(call.Args), call.Fn.Ret == types.JSONB
	for _, t := range ts {
		if err := checkJSONType(t, call); err != nil {
			return nil, err
		}
	}
	if len(ts)%2 != 0 {
		err := pgerr.Newf(pgerr.InvalidParameterValue, "argument list must have even number of elements").
			WithHint("The arguments of %s() must consist of alternating keys and values.", call.Fn.Name)
		return fnN(func(*Frame, []types.Datum) (types.Datum, error) { return types.Datum{}, err }), nil
	}
	return fnN(func(f *Frame, args []types.Datum) (types.Datum, error) {
		out := append(f.out(), '{')
		for i := 0; i < len(args); i += 2 {
			if i > 0 {
				out = append(out, ", "...)
			}
			if err := checkJSONKey(args[i], ts[i], i+1, binary); err != nil {
				return types.Datum{}, err
			}
			out = append(types.AppendJSONString(out, f.jsonScalarText(ts[i], args[i])), " : "...)
			out = f.appendJSON(out, ts[i+1], args[i+1])
		}
		return f.keepJSON(append(out, '}'), binary)
	}), nil
}

func checkJSONKey(d types.Datum, t types.OID, n int, binary bool) error {
	switch {
	case d.Null && binary:
		return pgerr.Newf(pgerr.InvalidParameterValue, "argument %d: key must not be null", n)
	case d.Null:
		return pgerr.Newf(pgerr.InvalidParameterValue, "argument %d cannot be null", n).WithHint("Object keys should be text.")
	case t.Elem() != 0 || t == types.JSON || t == types.JSONB:
		return pgerr.Newf(pgerr.InvalidParameterValue, "key value must be scalar, not array, composite, or json")
	}
	return nil
}

func jsonInsert(f *Frame, a, p, v types.Datum, after bool) (types.Datum, error) {
	path := textArray(p.B)
	if !jsonContainer(a.B) {
		return a, errJSON("cannot set path in scalar")
	}
	if len(path) == 0 {
		return a, nil
	}
	out, err := jsonInsertAt(nil, a.B, path, 0, v.B, after)
	if err != nil {
		return a, err
	}
	return f.keepErr(types.JSONBFromText(f.out(), out))
}

// jsonInsertAt appends s with a value put in at path[level:]: a new member, or an element
// before or behind the one named.
func jsonInsertAt(dst, s []byte, path []types.Datum, level int, v []byte, after bool) ([]byte, error) {
	step, last := path[level], level == len(path)-1
	if step.Null {
		return dst, pgerr.Newf("22004", "path element at position %d is null", level+1)
	}
	if !jsonContainer(s) {
		return append(dst, s...), nil
	}
	at, count := int64(-1), int64(0)
	if s[0] == '[' {
		i, ok := jsonIndex(step.B)
		if !ok {
			return dst, pgerr.Newf(pgerr.InvalidTextRepresentation, "path element at position %d is not an integer: \"%s\"", level+1, step.B)
		}
		count = int64(jsonCount(s))
		if at = i; i < 0 {
			at = count + i
		}
	}
	w := newJSONWriter(dst, s[0])
	put := func(k, v []byte) {
		w.item(k)
		w.out = append(w.out, v...)
	}
	done := false
	if s[0] == '[' && last && (at < 0 || count == 0) {
		put(nil, v)
		done = true
	}
	n := int64(0)
	for k, item := range jsonItems(s) {
		hit := k == nil && n == at || k != nil && jsonIs(k, step.B)
		n++
		switch {
		case hit && last && k != nil:
			return dst, pgerr.Newf(pgerr.InvalidParameterValue, "cannot replace existing key").
				WithHint("Try using the function jsonb_set to replace key value.")
		case hit && last:
			if done = true; after {
				put(nil, item)
				put(nil, v)
			} else {
				put(nil, v)
				put(nil, item)
			}
		case hit:
			w.item(k)
			var err error
			if w.out, err = jsonInsertAt(w.out, item, path, level+1, v, after); err != nil {
				return dst, err
			}
		default:
			put(k, item)
		}
	}
	if last && !done {
		var key []byte
		if s[0] == '{' {
			key = types.AppendJSONString(nil, step.B)
		}
		put(key, v)
	}
	return append(w.out, closing(s)), nil
}
