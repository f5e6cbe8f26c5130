package types

import (
	"encoding/binary"
	"strconv"
)

// An IntervalValue is an interval: three fields that do not convert into one
// another but for comparison, where a month is 30 days of 24 hours.
type IntervalValue struct {
	Micros       int64
	Days, Months int32
}

// DecodeInterval reads the payload of an interval.
func DecodeInterval(p []byte) IntervalValue {
	return IntervalValue{
		int64(binary.LittleEndian.Uint64(p)),
		int32(binary.LittleEndian.Uint32(p[8:])),
		int32(binary.LittleEndian.Uint32(p[12:])),
	}
}

// AppendInterval appends the payload of an interval, without header.
func AppendInterval(dst []byte, v IntervalValue) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, uint64(v.Micros))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(v.Days))
	return binary.LittleEndian.AppendUint32(dst, uint32(v.Months))
}

// span gives the interval's length as whole days and the µs left, not
// negative.
func (v IntervalValue) span() (days, micros int64) {
	d, us := SplitTimestamp(v.Micros)
	return int64(v.Months)*30 + int64(v.Days) + int64(d), us
}

// Cmp orders intervals by their length.
func (v IntervalValue) Cmp(w IntervalValue) int {
	vd, vu := v.span()
	wd, wu := w.span()
	if c := compareInt64(vd, wd); c != 0 {
		return c
	}
	return compareInt64(vu, wu)
}

// AppendIntervalText appends an interval's text in IntervalStyle postgres.
func AppendIntervalText(dst []byte, v IntervalValue) []byte {
	zero, before := true, false
	part := func(n int32, unit string) {
		if n == 0 {
			return
		}
		if !zero {
			dst = append(dst, ' ')
		}
		if before && n > 0 {
			dst = append(dst, '+')
		}
		dst = strconv.AppendInt(dst, int64(n), 10)
		dst = append(append(dst, ' '), unit...)
		if n != 1 {
			dst = append(dst, 's')
		}
		zero, before = false, n < 0
	}
	part(v.Months/12, "year")
	part(v.Months%12, "mon")
	part(v.Days, "day")
	if v.Micros == 0 && !zero {
		return dst
	}
	if !zero {
		dst = append(dst, ' ')
	}
	us := absInt64(v.Micros)
	switch {
	case v.Micros < 0:
		dst = append(dst, '-')
	case before:
		dst = append(dst, '+')
	}
	hours := us / microsPerHour
	if hours < 10 {
		dst = append(dst, '0')
	}
	dst = strconv.AppendUint(dst, hours, 10)
	sec := int(us % microsPerHour / microsPerSecond)
	dst = append2(append(dst, ':'), sec/60)
	dst = append2(append(dst, ':'), sec%60)
	return appendFraction(dst, int(us%microsPerSecond))
}
