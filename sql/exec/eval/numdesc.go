package eval

import "github.com/helios-sql/helios-sql/sql/pgerr"

// A numberDesc is what a template of numbers says as a whole.
type numberDesc struct {
	pre, post   int // digits before and behind the point
	multi       int // digits behind V
	zero, blank bool
	zeroStart   int // where zeros start and end, from 1
	zeroEnd     int
	decimal     bool
	fill        bool // FM
	sign        signPlace
	anchored    bool // S is there
	beforeSign  int  // digits before S
	plus, minus bool
	bracket     bool
	roman       bool
	shift       bool // V
	exponent    bool // EEEE
}

type signPlace byte

const (
	signNone signPlace = iota
	signBefore
	signBehind
)

func errTemplate(text string) error { return pgerr.Newf(pgerr.SyntaxError, "%s", text) }

// add takes the next keyword into account, and refuses what does not go together.
func (d *numberDesc) add(key string) error {
	if d.exponent && key != "EEEE" {
		return errTemplate(`"EEEE" must be the last pattern used`)
	}
	switch key {
	case "9", "0":
		if d.bracket {
			return errTemplate(`"` + key + `" must be ahead of "PR"`)
		}
		d.digit(key == "0")
	case "B":
		if d.pre == 0 && d.post == 0 && !d.zero {
			d.blank = true
		}
	case "D", ".":
		if d.decimal {
			return errTemplate("multiple decimal points")
		}
		if d.shift {
			return errTemplate(`cannot use "V" and decimal point together`)
		}
		d.decimal = true
	case "FM":
		d.fill = true
	case "S":
		return d.addSign()
	case "MI", "PL", "SG":
		if d.anchored {
			return errTemplate(`cannot use "S" and "` + key + `" together`)
		}
		d.minus = d.minus || key != "PL"
		d.plus = d.plus || key != "MI"
	case "PR":
		if d.anchored || d.plus || d.minus {
			return errTemplate(`cannot use "PR" and "S"/"PL"/"MI"/"SG" together`)
		}
		d.bracket = true
	case "RN":
		d.roman = true
	case "V":
		if d.decimal {
			return errTemplate(`cannot use "V" and decimal point together`)
		}
		d.shift = true
	case "EEEE":
		if d.exponent {
			return errTemplate(`cannot use "EEEE" twice`)
		}
		if d.blank || d.fill || d.anchored || d.bracket || d.minus || d.plus || d.roman || d.shift {
			return pgerr.Newf(pgerr.SyntaxError, `"EEEE" is incompatible with other formats`).
				WithDetail(`"EEEE" may only be used together with digit and decimal point patterns.`)
		}
		d.exponent = true
	}
	return nil
}

func (d *numberDesc) digit(zero bool) {
	if !zero {
		switch {
		case d.shift:
			d.multi++
		case d.decimal:
			d.post++
		default:
			d.pre++
		}
		return
	}
	if !d.zero && !d.decimal {
		d.zero = true
		d.zeroStart = d.pre + 1
	}
	if d.decimal {
		d.post++
	} else {
		d.pre++
	}
	d.zeroEnd = d.pre + d.post
}

func (d *numberDesc) addSign() error {
	switch {
	case d.anchored:
		return errTemplate(`cannot use "S" twice`)
	case d.plus || d.minus || d.bracket:
		return errTemplate(`cannot use "S" and "PL"/"MI"/"SG"/"PR" together`)
	case !d.decimal:
		d.sign, d.beforeSign, d.anchored = signBefore, d.pre, true
	case d.sign == signNone:
		d.sign, d.anchored = signBehind, true
	}
	return nil
}
