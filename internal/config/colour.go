package config

import (
	"fmt"
	"math"
	"strconv"
)

// luminance is the relative luminance of a colour #rrggbb, from 0 to 1 (WCAG 2.2).
func luminance(hex string) float64 {
	channel := func(at int) float64 {
		n, _ := strconv.ParseUint(hex[at:at+2], 16, 8)
		if c := float64(n) / 255; c > 0.04045 {
			return math.Pow((c+0.055)/1.055, 2.4)
		} else {
			return c / 12.92
		}
	}
	return 0.2126*channel(1) + 0.7152*channel(3) + 0.0722*channel(5)
}

// LightAccent is the accent colour for dark pages: mixed with white until its contrast with
// the nearly black background is 4.5. Without an accent it is "".
func LightAccent(hex string) string {
	if hex == "" {
		return ""
	}
	part := func(at int) float64 { n, _ := strconv.ParseUint(hex[at:at+2], 16, 8); return float64(n) }
	for mix := 0.0; ; mix += 0.05 {
		blend := func(at int) int { return int(part(at) + (255-part(at))*min(mix, 1)) }
		light := fmt.Sprintf("#%02x%02x%02x", blend(1), blend(3), blend(5))
		if (luminance(light)+0.05)/(0.01+0.05) >= 4.5 || mix >= 1 {
			return light
		}
	}
}
