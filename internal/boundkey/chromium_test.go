package boundkey_test

import (
	"testing"
	"time"
)

// Chromium 156.0.8078.108 sent these to a server with the key of binder, in test/browser: the
// second pair with its flag DeviceBoundSessionsIncludeAudienceClaim.
var fromChromium = []struct {
	site              string
	at                int64 // unix milliseconds
	register, refresh string
}{
	{
		"https://127.0.0.1:46031", 1796026520838,
		"eyJhbGciOiJFUzI1NiIsImp3ayI6eyJjcnYiOiJQLTI1NiIsImt0eSI6IkVDIiwieCI6InF4TlB1aWZzOGNoeDdFdEZfTjV1ZjdIcVp6UVlzcnZ0cGxwT2ZRbUJ0bzQiLCJ5Ijoid1hrdWFHQ1NSdzhpdXpKU2JIaEU0U25wMHNKaHR1TzVWNUJvODdMRnlPWSJ9LCJ0eXAiOiJkYnNjK2p3dCJ9.eyJhdXRob3JpemF0aW9uIjoiczEiLCJqdGkiOiJteDJ6dGdsbS5pTWp2X3RpTDg5NGI3QUJ0ZF9mMnVxcHdReWpBZzJsRFVwX3pjb2tkT2RRIn0.px0-lxVa-S4rglwqQQ7HST0H7SSUuKdpvlJXGDT8OKaQ8H40Etp7Ks8Dyf-xP5utbiLJFLGkCLLm1F-8M1-nSg",
		"eyJhbGciOiJFUzI1NiIsInR5cCI6ImRic2Mrand0In0.eyJqdGkiOiJteDJ6dGdxZy53c0JtRHJERmtJVEhFa3RudGlYSmdNU0NiTktmcWxDUURCUTBWamNiNTVJIn0.DQrweoxKJ4zr-SITk49gdxVvYPXIlEqTPc8Ajib0GMGcsAfw2yupiynJeO-H1lrqnVC1_zQk5UqGYSWeXrUntQ",
	},
	{
		"https://127.0.0.1:39283", 1796026522257,
		"eyJhbGciOiJFUzI1NiIsImp3ayI6eyJjcnYiOiJQLTI1NiIsImt0eSI6IkVDIiwieCI6InExM1lNNXlfUE1Gelo4Z2ZWUmMzb3VZcWV0a0dKdXFaWnB1dU5FdGFmcGMiLCJ5IjoiR080ZGJxM0hyTE5DQXQ1ZHl2bU8wRnd5bWNINnZoT01vTG1LYjJWSlR3ZyJ9LCJ0eXAiOiJkYnNjK2p3dCJ9.eyJhdWQiOiJodHRwczovLzEyNy4wLjAuMTozOTI4My9yZWdpc3RlciIsImF1dGhvcml6YXRpb24iOiJzMSIsImp0aSI6Im14Mnp0aHJ4Lk9Dc19zRV9JeUotTGttUmVRU1pLM0V3T2htbkZ6WmNWWUtqWGxnNGhCWDAifQ.T4QcWxTt3HqdcdcW7k9edXguuW7VQTWXOmFElP5UkKLf22Q5mqSdjnxQt24xMFxhHfOKBcCFwAg9ueU3WUdNrg",
		"eyJhbGciOiJFUzI1NiIsInR5cCI6ImRic2Mrand0In0.eyJhdWQiOiJodHRwczovLzEyNy4wLjAuMTozOTI4My9yZWZyZXNoIiwianRpIjoibXgyenRodTYueGdGcFV4bHhRb2RTNm5BelBFNVh4eng4YlYwQXdRUW1CbElMZThjWFpOTSJ9.FnUSElGqHIBtPE9RdnjrurMeKCgZx6En5B0CBYpXYdW89UMZx2U0rULtSx29EFFCuEXMVgZESf1JN0Ppq7z3rw",
	},
}

func TestWhatChromiumSentIsBelieved(t *testing.T) {
	for _, c := range fromChromium {
		b, now := binder(t), time.UnixMilli(c.at)
		session, key, err := b.Register(c.register, c.site+"/register", now)
		if err != nil || session != "s1" {
			t.Fatalf("%s: %q, %v", c.site, session, err)
		}
		if _, err := b.Refresh(c.refresh, c.site+"/refresh", session, stored(t, key), never, now); err != nil {
			t.Errorf("%s: %v", c.site, err)
		}
	}
}
