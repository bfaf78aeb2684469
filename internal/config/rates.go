package config

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// rates is a list of rates: "5/15m, 40/24h".
func rates(key string, at *Rates, std, help string) setting {
	return setting{
		key: key, defaultText: std, help: help, isString: true, get: func() string { return at.String() },
		set: func(v string) error {
			*at = nil
			for _, part := range split(v) {
				n, per, _ := strings.Cut(part, "/")
				count, err1 := strconv.Atoi(strings.TrimSpace(n))
				span, err2 := parseDuration(strings.TrimSpace(per))
				if err1 != nil || err2 != nil || count < 1 || span < time.Second {
					return errors.New(`a number per time, such as "5/15m"; several separated by commas`)
				}
				if rate := (Rate{count, span}); !slices.Contains(*at, rate) {
					*at = append(*at, rate)
				}
			}
			if len(*at) == 0 {
				return errors.New(`a number per time, such as "5/15m"`)
			}
			return nil
		},
	}
}

// optionalRates are rates that may be empty: no limit.
func optionalRates(key string, at *Rates, help string) setting {
	s := rates(key, at, "", help)
	set := s.set
	s.set = func(v string) error {
		if v == "" {
			*at = nil
			return nil
		}
		return set(v)
	}
	return s
}
