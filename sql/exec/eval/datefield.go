package eval

import (
	"math"
	"strings"
	"time"

	"github.com/helios-sql/helios-sql/sql/pgerr"
	"github.com/helios-sql/helios-sql/sql/planner/scalar"
	"github.com/helios-sql/helios-sql/sql/types"
)

// dateFieldFuncs take dates and times apart and make them of parts.
var dateFieldFuncs = func() map[string]impl {
	m := map[string]impl{
		"date_trunc(text,timestamp)":   fn2(truncTimestamp),
		"date_trunc(text,timestamptz)": fn2(func(f *Frame, u, a types.Datum) (types.Datum, error) { return truncZoned(u, a, f.zone()) }),
		"date_trunc(text,timestamptz,text)": fn3(func(f *Frame, u, a, z types.Datum) (types.Datum, error) {
			if timestampInfinite(a.I) {
				return a, nil
			}
			zone, err := loadZone(z.B)
			if err != nil {
				return a, err
			}
			return truncZoned(u, a, zone)
		}),
		"date_trunc(text,interval)":                       fn2(truncInterval),
		"age(timestamp,timestamp)":                        fn2(age),
		"age(timestamptz,timestamptz)":                    fn2(func(f *Frame, a, b types.Datum) (types.Datum, error) { return age(f, f.shift(a), f.shift(b)) }),
		"age(timestamp)":                                  fn1(func(f *Frame, a types.Datum) (types.Datum, error) { return age(f, f.today(), a) }),
		"age(timestamptz)":                                fn1(func(f *Frame, a types.Datum) (types.Datum, error) { return age(f, f.today(), f.shift(a)) }),
		"date_bin(interval,timestamp,timestamp)":          fn3(dateBin),
		"date_bin(interval,timestamptz,timestamptz)":      fn3(dateBin),
		"to_timestamp(float8)":                            fn1(toTimestampFloat),
		"make_date(int4,int4,int4)":                       fn3(makeDate),
		"make_time(int4,int4,float8)":                     fn3(makeTime),
		"make_timestamp(int4,int4,int4,int4,int4,float8)": fnN(makeTimestamp),
		"make_timestamptz(int4,int4,int4,int4,int4,float8)": fnN(func(f *Frame, args []types.Datum) (types.Datum, error) {
			d, err := makeTimestamp(f, args)
			if err != nil {
				return d, err
			}
			return zoned(d.I, f.zone())
		}),
		"make_timestamptz(int4,int4,int4,int4,int4,float8,text)": fnN(func(f *Frame, args []types.Datum) (types.Datum, error) {
			d, err := makeTimestamp(f, args[:6])
			if err != nil {
				return d, err
			}
			zone, err := loadZone(args[6].B)
			if err != nil {
				return d, err
			}
			return zoned(d.I, zone)
		}),
		"justify_hours(interval)":    justify(true, false),
		"justify_days(interval)":     justify(false, true),
		"justify_interval(interval)": justify(true, true),
		"timezone(text,timestamp)":   atZone(func(_ *Frame, z *time.Location, a types.Datum) (types.Datum, error) { return zoned(a.I, z) }),
		"timezone(text,timestamptz)": atZone(func(_ *Frame, z *time.Location, a types.Datum) (types.Datum, error) {
			return types.DInt(types.TimestampFromTZ(z, a.I)), nil
		}),
		"timezone(text,timetz)":        atZone(timetzAt),
		"timezone(interval,timestamp)": atOffset(func(_ *Frame, z *time.Location, a types.Datum) (types.Datum, error) { return zoned(a.I, z) }),
		"timezone(interval,timestamptz)": atOffset(func(_ *Frame, z *time.Location, a types.Datum) (types.Datum, error) {
			return types.DInt(types.TimestampFromTZ(z, a.I)), nil
		}),
		"timezone(interval,timetz)": atOffset(timetzAt),
	}
	for n := 0; n <= 7; n++ {
		m["make_interval("+strings.Join([]string{"int4", "int4", "int4", "int4", "int4", "int4", "float8"}[:n], ",")+")"] = builder(makeIntervalOf)
	}
	for _, t := range []types.OID{types.Date, types.Time, types.TimeTZ, types.Timestamp, types.TimestampTZ, types.Interval} {
		m["extract(text,"+t.Name()+")"] = extractor(t, true)
		m["date_part(text,"+t.Name()+")"] = extractor(t, false)
	}
	return m
}()

// today is the transaction's date at midnight, as a local time.
func (f *Frame) today() types.Datum {
	days, _ := types.SplitTimestamp(types.TimestampFromTZ(f.zone(), f.ctx.Now))
	return types.DInt(int64(days) * usecsPerDay)
}

// shift is local for age, which in PostgreSQL takes the infinities for instants.
func (f *Frame) shift(a types.Datum) types.Datum {
	if a.I == types.TimestampNegInfinity {
		return a
	}
	return types.DInt(a.I + int64(types.UTCOffset(f.zone(), a.I))*usecsPerSec)
}

// unitNames maps PostgreSQL's spellings of units, cut at ten characters, to one each.
var unitNames = func() map[string]string {
	m := map[string]string{}
	for _, words := range []string{
		"microseconds microsecon us usec usecs usecond useconds", "milliseconds millisecon ms msec msecs msecond mseconds",
		"second s sec secs seconds", "minute m min mins minutes", "hour h hr hrs hours", "day d days", "week w weeks",
		"month mon mons months", "quarter qtr", "year y yr yrs years", "decade dec decs decades", "century c cent centuries",
		"millennium mil mils millennia", "timezone", "timezone_hour timezone_h", "timezone_minute timezone_m",
		"epoch", "dow", "isodow", "doy", "isoyear", "julian j jd",
	} {
		w := strings.Fields(words)
		for _, s := range w {
			m[s] = w[0]
		}
	}
	return m
}()

// unit resolves the name of a unit; "" if there is none such.
func unit(name []byte) string {
	if u, ok := unitNames[string(name)]; ok {
		return u
	}
	s := strings.ToLower(string(name))
	if u, ok := unitNames[s]; ok {
		return u
	}
	return unitNames[s[:min(len(s), 10)]]
}

func errUnit(name []byte, t types.OID) error {
	lower := strings.ToLower(string(name))
	if unit(name) == "" {
		return pgerr.Newf(pgerr.InvalidParameterValue, "unit \"%s\" not recognized for type %s", lower, t)
	}
	return pgerr.Newf(pgerr.FeatureNotSupported, "unit \"%s\" not supported for type %s", lower, t)
}

// A field is an extracted number: coef × 10^−scale; or an infinity, or NULL.
type field struct {
	coef  int64
	scale int
	inf   int
	null  bool
}

// extractor compiles EXTRACT and date_part; a constant unit is resolved once.
func extractor(t types.OID, numeric bool) builder {
	return func(c *compiler, call *scalar.Call) (impl, error) {
		fixed := ""
		if k, ok := constArg(call, 0); ok {
			fixed = unit(k.B)
		}
		return fn2(func(f *Frame, name, a types.Datum) (types.Datum, error) {
			u := fixed
			if u == "" {
				u = unit(name.B)
			}
			if u == "julian" && (t == types.Date && !numeric || t == types.Timestamp || t == types.TimestampTZ) && !timestampInfinite(a.I) {
				if t == types.Date && dateInfinite(a.I) {
					return types.DFloat(math.Inf(int(a.I))), nil
				}
				if t == types.Date {
					_, err := dateToTimestamp(f, a)
					return types.DFloat(float64(a.I + julianEpoch)), err
				}
				return f.julian(t, a, numeric)
			}
			of := t
			if t == types.Date && !numeric { // date_part converts
				ts, err := dateToTimestamp(f, a)
				if err != nil {
					return a, err
				}
				of, a = types.Timestamp, ts
			}
			if t == types.Interval && u == "epoch" {
				return epochOfInterval(f, types.DecodeInterval(a.B), numeric)
			}
			if u == "epoch" && (of == types.Timestamp || of == types.TimestampTZ) && a.I > math.MaxInt64-10957*usecsPerDay && !timestampInfinite(a.I) {
				return lateEpoch(f, a, numeric)
			}
			v, ok := f.field(of, u, a)
			switch {
			case !ok:
				return a, errUnit(name.B, of)
			case v.null:
				return types.NullDatum, nil
			case v.inf != 0 && numeric:
				if v.inf > 0 {
					return types.Datum{B: numPlus}, nil
				}
				return types.Datum{B: numMinus}, nil
			case v.inf != 0:
				return types.DFloat(math.Inf(v.inf)), nil
			case numeric:
				return f.keep(types.AppendNumericSmall(f.out(), v.coef, v.scale)), nil
			}
			return types.DFloat(v.float(u)), nil
		}), nil
	}
}

func (v field) float(u string) float64 {
	switch {
	case v.scale == 0:
		return float64(v.coef)
	case u == "epoch":
		return float64(v.coef) / 1e6
	case v.scale == 3:
		return float64(v.coef/usecsPerSec*1000) + float64(v.coef%usecsPerSec)/1000
	}
	return float64(v.coef/usecsPerSec) + float64(v.coef%usecsPerSec)/1e6
}

// julian is the Julian date with its fraction.
func (f *Frame) julian(t types.OID, a types.Datum, numeric bool) (types.Datum, error) {
	if t == types.TimestampTZ {
		a = f.local(a)
	}
	days, us := types.SplitTimestamp(a.I)
	if !numeric {
		secs := float64(us/usecsPerSec) + float64(us%usecsPerSec)/1e6
		return types.DFloat(float64(days+julianEpoch) + secs/86400), nil
	}
	frac, err := types.NumericDiv(nil, types.NumericFromInt64(nil, us), types.NumericFromInt64(nil, usecsPerDay))
	if err != nil {
		return a, err
	}
	return f.keepErr(types.NumericAdd(f.out(), types.NumericFromInt64(nil, int64(days+julianEpoch)), frac))
}

// julianEpoch is the Julian day of 2000-01-01.
const julianEpoch = 2451545

// field extracts a unit of a value; false if its type has no such unit.
func (f *Frame) field(t types.OID, u string, a types.Datum) (field, bool) {
	switch t {
	case types.Date:
		if dateInfinite(a.I) {
			return infiniteField(u, a.I > 0, true)
		}
		switch u {
		case "epoch":
			return field{coef: (a.I + 10957) * 86400}, true
		case "julian":
			return field{coef: a.I + julianEpoch}, true
		}
		return dayField(u, int(a.I))
	case types.Time:
		return timeField(u, a.I)
	case types.TimeTZ:
		v := types.DecodeTimeTZ(a.B)
		if u == "epoch" {
			return field{coef: v.Micros + int64(v.West)*usecsPerSec, scale: 6}, true
		}
		if z, ok := zoneField(u, -int64(v.West)); ok {
			return z, true
		}
		return timeField(u, v.Micros)
	case types.Interval:
		return intervalField(u, types.DecodeInterval(a.B))
	}
	if timestampInfinite(a.I) {
		return infiniteField(u, a.I > 0, false)
	}
	if u == "epoch" {
		return field{coef: a.I + 10957*usecsPerDay, scale: 6}, true
	}
	local := a.I
	if t == types.TimestampTZ {
		off := int64(types.UTCOffset(f.zone(), a.I))
		if z, ok := zoneField(u, off); ok {
			return z, true
		}
		local += off * usecsPerSec
	}
	days, us := types.SplitTimestamp(local)
	if v, ok := dayField(u, days); ok {
		return v, true
	}
	return timeField(u, us)
}

func infiniteField(u string, positive, date bool) (field, bool) {
	switch u {
	case "year", "decade", "century", "millennium", "julian", "isoyear", "epoch":
		if positive {
			return field{inf: 1}, true
		}
		return field{inf: -1}, true
	case "day", "month", "quarter", "week", "dow", "isodow", "doy":
		return field{null: true}, true
	case "microseconds", "milliseconds", "second", "minute", "hour", "timezone", "timezone_hour", "timezone_minute":
		return field{null: true}, !date
	}
	return field{}, false
}

func zoneField(u string, east int64) (field, bool) {
	switch u {
	case "timezone":
		return field{coef: east}, true
	case "timezone_hour":
		return field{coef: east / 3600}, true
	case "timezone_minute":
		return field{coef: east / 60 % 60}, true
	}
	return field{}, false
}

// weekday is 0 for Sunday.
func weekday(days int) int { return ((days+6)%7 + 7) % 7 }

// isoWeek gives the ISO 8601 year (0: 1 BC) and week of a day.
func isoWeek(days int) (year, week int) {
	thursday := days - (weekday(days)+6)%7 + 3
	year, _, _ = types.CivilFromDays(thursday)
	return year, (thursday-types.DaysFromCivil(year, 1, 1))/7 + 1
}

func dayField(u string, days int) (field, bool) {
	y, m, d := types.CivilFromDays(days)
	v := 0
	switch u {
	case "day":
		v = d
	case "month":
		v = m
	case "quarter":
		v = (m-1)/3 + 1
	case "week":
		_, v = isoWeek(days)
	case "isoyear":
		v, _ = isoWeek(days)
		v = shownYear(v)
	case "dow":
		v = weekday(days)
	case "isodow":
		v = (weekday(days)+6)%7 + 1
	case "doy":
		v = days - types.DaysFromCivil(y, 1, 1) + 1
	case "year":
		v = shownYear(y)
	case "decade":
		if v = y / 10; y < 0 {
			v = -((8 - (y - 1)) / 10)
		}
	case "century":
		if v = (y + 99) / 100; y <= 0 {
			v = -((99 - (y - 1)) / 100)
		}
	case "millennium":
		if v = (y + 999) / 1000; y <= 0 {
			v = -((999 - (y - 1)) / 1000)
		}
	default:
		return field{}, false
	}
	return field{coef: int64(v)}, true
}

// shownYear has no year 0.
func shownYear(y int) int {
	if y <= 0 {
		y--
	}
	return y
}

func timeField(u string, us int64) (field, bool) {
	switch u {
	case "microseconds":
		return field{coef: us % usecsPerMin}, true
	case "milliseconds":
		return field{coef: us % usecsPerMin, scale: 3}, true
	case "second":
		return field{coef: us % usecsPerMin, scale: 6}, true
	case "minute":
		return field{coef: us / usecsPerMin % 60}, true
	case "hour":
		return field{coef: us / usecsPerHour}, true
	case "epoch":
		return field{coef: us, scale: 6}, true
	}
	return field{}, false
}

func intervalField(u string, v types.IntervalValue) (field, bool) {
	months := int64(v.Months)
	years := months / 12
	switch u {
	case "day":
		return field{coef: int64(v.Days)}, true
	case "month":
		return field{coef: months % 12}, true
	case "quarter":
		return field{coef: months%12/3 + 1}, true
	case "year":
		return field{coef: years}, true
	case "decade":
		return field{coef: years / 10}, true
	case "century":
		return field{coef: years / 100}, true
	case "millennium":
		return field{coef: years / 1000}, true
	}
	return timeField(u, v.Micros)
}

// lateEpoch is the epoch of a timestamp whose µs since 1970 do not fit an int64.
func lateEpoch(f *Frame, a types.Datum, numeric bool) (types.Datum, error) {
	if !numeric {
		return types.DFloat(float64(a.I)/1e6 + 10957*86400), nil
	}
	var x, y [32]byte
	return f.keepErr(types.NumericAdd(f.out(), types.AppendNumericSmall(x[:0], a.I, 6), types.NumericFromInt64(y[:0], 10957*86400)))
}

// epochOfInterval is the length in seconds, of years of 365.25 days and months of 30.
func epochOfInterval(f *Frame, v types.IntervalValue, numeric bool) (types.Datum, error) {
	years, months := int64(v.Months/12), int64(v.Months%12)
	if !numeric {
		x := float64(v.Micros) / 1e6
		x += 365.25 * 86400 * float64(years)
		x += 30 * 86400 * float64(months)
		return types.DFloat(x + 86400*float64(v.Days)), nil
	}
	secs := (1461*years + 120*months + 4*int64(v.Days)) * (86400 / 4)
	var a, b [32]byte
	whole := types.NumericFromInt64(a[:0], secs)
	return f.keepErr(types.NumericAdd(f.out(), whole, types.AppendNumericSmall(b[:0], v.Micros, 6)))
}

// truncLocal cuts a local time at a unit; wide says that the unit is a day or more.
func truncLocal(u string, ts int64) (out int64, wide, ok bool) {
	days, us := types.SplitTimestamp(ts)
	switch u {
	case "microseconds":
		return ts, false, true
	case "milliseconds":
		return ts - us%1000, false, true
	case "second":
		return ts - us%usecsPerSec, false, true
	case "minute":
		return ts - us%usecsPerMin, false, true
	case "hour":
		return ts - us%usecsPerHour, false, true
	}
	y, m, _ := types.CivilFromDays(days)
	switch u {
	case "day":
		return ts - us, true, true
	case "week":
		return int64(days-(weekday(days)+6)%7) * usecsPerDay, true, true
	case "month":
	case "quarter":
		m = (m-1)/3*3 + 1
	case "year":
		m = 1
	case "decade":
		m = 1
		if y > 0 {
			y = y / 10 * 10
		} else {
			y = -((8 - (y - 1)) / 10) * 10
		}
	case "century":
		m = 1
		if y > 0 {
			y = (y+99)/100*100 - 99
		} else {
			y = -((99-(y-1))/100)*100 + 1
		}
	case "millennium":
		m = 1
		if y > 0 {
			y = (y+999)/1000*1000 - 999
		} else {
			y = -((999-(y-1))/1000)*1000 + 1
		}
	default:
		return 0, false, false
	}
	return int64(types.DaysFromCivil(y, m, 1)) * usecsPerDay, true, true
}

// errTrunc is errUnit for date_trunc, which does not know the units that only extract.
func errTrunc(name []byte, t types.OID) error {
	switch unit(name) {
	case "epoch", "dow", "isodow", "doy", "isoyear", "julian":
		return pgerr.Newf(pgerr.InvalidParameterValue, "unit \"%s\" not recognized for type %s", strings.ToLower(string(name)), t)
	case "week":
		return errUnit(name, t).(*pgerr.Error).WithDetail("Months usually have fractional weeks.")
	}
	return errUnit(name, t)
}

func truncTimestamp(_ *Frame, u, a types.Datum) (types.Datum, error) {
	if timestampInfinite(a.I) {
		return a, nil
	}
	ts, _, ok := truncLocal(unit(u.B), a.I)
	if !ok {
		return a, errTrunc(u.B, types.Timestamp)
	}
	return timestamp(ts)
}

func truncZoned(u, a types.Datum, zone *time.Location) (types.Datum, error) {
	if timestampInfinite(a.I) {
		return a, nil
	}
	off := int64(types.UTCOffset(zone, a.I)) * usecsPerSec
	ts, wide, ok := truncLocal(unit(u.B), a.I+off)
	switch {
	case !ok:
		return a, errTrunc(u.B, types.TimestampTZ)
	case wide:
		return zoned(ts, zone)
	}
	return timestamp(ts - off)
}

func truncInterval(f *Frame, u, a types.Datum) (types.Datum, error) {
	v := types.DecodeInterval(a.B)
	cut := func(months int32) {
		v.Months -= v.Months % months
		v.Days, v.Micros = 0, 0
	}
	switch unit(u.B) {
	case "millennium":
		cut(12000)
	case "century":
		cut(1200)
	case "decade":
		cut(120)
	case "year":
		cut(12)
	case "quarter":
		cut(3)
	case "month":
		cut(1)
	case "day":
		v.Micros = 0
	case "hour":
		v.Micros -= v.Micros % usecsPerHour
	case "minute":
		v.Micros -= v.Micros % usecsPerMin
	case "second":
		v.Micros -= v.Micros % usecsPerSec
	case "milliseconds":
		v.Micros -= v.Micros % 1000
	case "microseconds":
	default:
		return a, errTrunc(u.B, types.Interval)
	}
	return f.interval(v), nil
}
