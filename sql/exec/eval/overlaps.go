package eval

import "github.com/helios-sql/helios-sql/sql/types"

// overlapsFuncs are OVERLAPS of two periods, each of its ends or of a start and a length.
var overlapsFuncs = func() map[string]impl {
	m := map[string]impl{}
	for t, plus := range map[types.OID]fn2{types.Timestamp: timestampPlus, types.TimestampTZ: timestamptzPlus, types.Time: timePlus, types.TimeTZ: nil} {
		name := t.Name()
		m["overlaps("+name+","+name+","+name+","+name+")"] = overlapsOf(t, nil, nil)
		if plus == nil {
			continue
		}
		m["overlaps("+name+",interval,"+name+",interval)"] = overlapsOf(t, plus, plus)
		m["overlaps("+name+",interval,"+name+","+name+")"] = overlapsOf(t, plus, nil)
		m["overlaps("+name+","+name+","+name+",interval)"] = overlapsOf(t, nil, plus)
	}
	return m
}()

// overlapsOf adds lengths to starts where plus is given.
func overlapsOf(t types.OID, plus1, plus2 fn2) fnN {
	return func(f *Frame, args []types.Datum) (types.Datum, error) {
		var p [4]types.Datum
		copy(p[:], args)
		for i, plus := range []fn2{plus1, plus2} {
			start, end := p[2*i], &p[2*i+1]
			if plus == nil {
				continue
			}
			if start.Null || end.Null {
				*end = types.NullDatum
				continue
			}
			var err error
			if *end, err = plus(f, start, *end); err != nil {
				return *end, err
			}
		}
		return overlaps(t, p), nil
	}
}

// overlaps is unknown where a NULL end might decide.
func overlaps(t types.OID, p [4]types.Datum) types.Datum {
	for i := 0; i < 4; i += 2 {
		switch {
		case p[i].Null && p[i+1].Null:
			return types.NullDatum
		case p[i].Null || !p[i+1].Null && types.Compare(t, p[i], p[i+1]) > 0:
			p[i], p[i+1] = p[i+1], p[i]
		}
	}
	order := types.Compare(t, p[0], p[2])
	if order == 0 {
		if p[1].Null || p[3].Null {
			return types.NullDatum
		}
		return types.DBool(true)
	}
	early, late := p[:2], p[2:]
	if order > 0 {
		early, late = late, early
	}
	switch {
	case early[1].Null:
		return types.NullDatum
	case types.Compare(t, late[0], early[1]) < 0:
		return types.DBool(true)
	case late[1].Null:
		return types.NullDatum
	}
	return types.DBool(false)
}
