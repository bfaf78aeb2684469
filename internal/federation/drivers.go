package federation

import (
	"net/url"
	"strings"

	"github.com/markbates/goth"
	"github.com/markbates/goth/providers/amazon"
	"github.com/markbates/goth/providers/apple"
	"github.com/markbates/goth/providers/auth0"
	"github.com/markbates/goth/providers/azuread"
	"github.com/markbates/goth/providers/azureadv2"
	"github.com/markbates/goth/providers/battlenet"
	"github.com/markbates/goth/providers/bitbucket"
	"github.com/markbates/goth/providers/bitly"
	"github.com/markbates/goth/providers/box"
	"github.com/markbates/goth/providers/classlink"
	"github.com/markbates/goth/providers/cloudfoundry"
	"github.com/markbates/goth/providers/cognito"
	"github.com/markbates/goth/providers/dailymotion"
	"github.com/markbates/goth/providers/deezer"
	"github.com/markbates/goth/providers/digitalocean"
	"github.com/markbates/goth/providers/discord"
	"github.com/markbates/goth/providers/dropbox"
	"github.com/markbates/goth/providers/eveonline"
	"github.com/markbates/goth/providers/facebook"
	"github.com/markbates/goth/providers/fitbit"
	"github.com/markbates/goth/providers/gitea"
	"github.com/markbates/goth/providers/github"
	"github.com/markbates/goth/providers/gitlab"
	"github.com/markbates/goth/providers/google"
	"github.com/markbates/goth/providers/gplus"
	"github.com/markbates/goth/providers/heroku"
	"github.com/markbates/goth/providers/hubspot"
	"github.com/markbates/goth/providers/influxcloud"
	"github.com/markbates/goth/providers/instagram"
	"github.com/markbates/goth/providers/intercom"
	"github.com/markbates/goth/providers/kakao"
	"github.com/markbates/goth/providers/lark"
	"github.com/markbates/goth/providers/lastfm"
	"github.com/markbates/goth/providers/line"
	"github.com/markbates/goth/providers/linkedin"
	"github.com/markbates/goth/providers/mailru"
	"github.com/markbates/goth/providers/mastodon"
	"github.com/markbates/goth/providers/meetup"
	"github.com/markbates/goth/providers/microsoftonline"
	"github.com/markbates/goth/providers/naver"
	"github.com/markbates/goth/providers/nextcloud"
	"github.com/markbates/goth/providers/okta"
	"github.com/markbates/goth/providers/onedrive"
	"github.com/markbates/goth/providers/oura"
	"github.com/markbates/goth/providers/patreon"
	"github.com/markbates/goth/providers/paypal"
	"github.com/markbates/goth/providers/reddit"
	"github.com/markbates/goth/providers/salesforce"
	"github.com/markbates/goth/providers/seatalk"
	"github.com/markbates/goth/providers/shopify"
	"github.com/markbates/goth/providers/slack"
	"github.com/markbates/goth/providers/soundcloud"
	"github.com/markbates/goth/providers/spotify"
	"github.com/markbates/goth/providers/steam"
	"github.com/markbates/goth/providers/strava"
	"github.com/markbates/goth/providers/stripe"
	"github.com/markbates/goth/providers/tiktok"
	"github.com/markbates/goth/providers/tumblr"
	"github.com/markbates/goth/providers/twitch"
	"github.com/markbates/goth/providers/twitter"
	"github.com/markbates/goth/providers/twitterv2"
	"github.com/markbates/goth/providers/typetalk"
	"github.com/markbates/goth/providers/uber"
	"github.com/markbates/goth/providers/vk"
	"github.com/markbates/goth/providers/wechat"
	"github.com/markbates/goth/providers/wecom"
	"github.com/markbates/goth/providers/wepay"
	"github.com/markbates/goth/providers/xero"
	"github.com/markbates/goth/providers/yahoo"
	"github.com/markbates/goth/providers/yammer"
	"github.com/markbates/goth/providers/yandex"
	"github.com/markbates/goth/providers/zoom"
)

// A driver makes goth's provider for one sign-in.
type driver func(p Provider, callback string) goth.Provider

// drivers are all of goth's but two: faux is for its tests, and openidConnect takes ID tokens
// that nobody has signed; issuers are reached with kind = "openid".
var drivers = map[string]driver{
	"amazon":          plain(amazon.New),
	"battlenet":       plain(battlenet.New),
	"bitbucket":       plain(bitbucket.New),
	"bitly":           plain(bitly.New),
	"box":             plain(box.New),
	"classlink":       plain(classlink.New),
	"dailymotion":     plain(dailymotion.New),
	"deezer":          plain(deezer.New),
	"digitalocean":    plain(digitalocean.New),
	"discord":         plain(discord.New),
	"dropbox":         plain(dropbox.New),
	"eveonline":       plain(eveonline.New),
	"facebook":        plain(facebook.New),
	"fitbit":          plain(fitbit.New),
	"google":          plain(google.New),
	"gplus":           plain(gplus.New),
	"heroku":          plain(heroku.New),
	"hubspot":         plain(hubspot.New),
	"influxcloud":     plain(influxcloud.New),
	"instagram":       plain(instagram.New),
	"intercom":        plain(intercom.New),
	"kakao":           plain(kakao.New),
	"lark":            plain(lark.New),
	"lastfm":          fixed(lastfm.New),
	"line":            plain(line.New),
	"linkedin":        plain(linkedin.New),
	"mailru":          plain(mailru.New),
	"meetup":          plain(meetup.New),
	"microsoftonline": plain(microsoftonline.New),
	"naver":           fixed(naver.New),
	"onedrive":        plain(onedrive.New),
	"oura":            plain(oura.New),
	"patreon":         plain(patreon.New),
	"paypal":          plain(paypal.New),
	"salesforce":      plain(salesforce.New),
	"seatalk":         plain(seatalk.New),
	"shopify":         plain(shopify.New),
	"slack":           plain(slack.New),
	"soundcloud":      plain(soundcloud.New),
	"spotify":         plain(spotify.New),
	"strava":          plain(strava.New),
	"stripe":          plain(stripe.New),
	"tiktok":          plain(tiktok.New),
	"tumblr":          fixed(tumblr.New),
	"twitch":          plain(twitch.New),
	"twitter":         fixed(twitter.New),
	"twitterv2":       fixed(twitterv2.New),
	"typetalk":        plain(typetalk.New),
	"uber":            plain(uber.New),
	"vk":              plain(vk.New),
	"wepay":           plain(wepay.New),
	"xero":            fixed(xero.New),
	"yahoo":           plain(yahoo.New),
	"yammer":          plain(yammer.New),
	"yandex":          plain(yandex.New),
	"zoom":            plain(zoom.New),
	"apple": func(p Provider, callback string) goth.Provider {
		return apple.New(p.ClientID, p.ClientSecret, callback, nil, p.Scopes...)
	},
	"auth0": func(p Provider, callback string) goth.Provider {
		return auth0.New(p.ClientID, p.ClientSecret, callback, host(p.Issuer), p.Scopes...)
	},
	"azuread": func(p Provider, callback string) goth.Provider {
		return azuread.New(p.ClientID, p.ClientSecret, callback, nil, p.Scopes...)
	},
	"azureadv2": func(p Provider, callback string) goth.Provider {
		return azureadv2.New(p.ClientID, p.ClientSecret, callback, azureadv2.ProviderOptions{Tenant: azureadv2.TenantType(tenant(p.Issuer))})
	},
	"cloudfoundry": func(p Provider, callback string) goth.Provider {
		return cloudfoundry.New(server(p.Issuer), p.ClientID, p.ClientSecret, callback, p.Scopes...)
	},
	"cognito": func(p Provider, callback string) goth.Provider {
		return cognito.New(p.ClientID, p.ClientSecret, server(p.Issuer), callback, p.Scopes...)
	},
	"gitea": func(p Provider, callback string) goth.Provider {
		at := or(p.Issuer, "https://gitea.com")
		return gitea.NewCustomisedURL(p.ClientID, p.ClientSecret, callback, at+"/login/oauth/authorize", at+"/login/oauth/access_token", at+"/api/v1/user", p.Scopes...)
	},
	"github": func(p Provider, callback string) goth.Provider {
		if p.Issuer == "" {
			return github.New(p.ClientID, p.ClientSecret, callback, p.Scopes...)
		}
		at := server(p.Issuer)
		return github.NewCustomisedURL(p.ClientID, p.ClientSecret, callback, at+"/login/oauth/authorize", at+"/login/oauth/access_token", at+"/api/v3/user", at+"/api/v3/user/emails", p.Scopes...)
	},
	"gitlab": func(p Provider, callback string) goth.Provider {
		at := or(p.Issuer, "https://gitlab.com")
		return gitlab.NewCustomisedURL(p.ClientID, p.ClientSecret, callback, at+"/oauth/authorize", at+"/oauth/token", at+"/api/v4/user", p.Scopes...)
	},
	"mastodon": func(p Provider, callback string) goth.Provider {
		return mastodon.NewCustomisedURL(p.ClientID, p.ClientSecret, callback, or(p.Issuer, "https://mastodon.social"), p.Scopes...)
	},
	"nextcloud": func(p Provider, callback string) goth.Provider {
		return nextcloud.NewCustomisedDNS(p.ClientID, p.ClientSecret, callback, server(p.Issuer), p.Scopes...)
	},
	"okta": func(p Provider, callback string) goth.Provider {
		return okta.New(p.ClientID, p.ClientSecret, server(p.Issuer), callback, p.Scopes...)
	},
	"reddit": func(p Provider, callback string) goth.Provider {
		r := reddit.New(p.ClientID, p.ClientSecret, callback, "temporary", "https://www.reddit.com/api/v1/access_token", "https://oauth.reddit.com/api/v1/me", append([]string{"identity"}, p.Scopes...)...)
		return &r
	},
	"steam": func(p Provider, callback string) goth.Provider {
		return steam.New(p.ClientSecret, callback)
	},
	"wechat": func(p Provider, callback string) goth.Provider {
		return wechat.New(p.ClientID, p.ClientSecret, callback, wechat.WECHAT_LANG_EN)
	},
	"wecom": func(p Provider, callback string) goth.Provider {
		return wecom.New(p.ClientID, p.ClientSecret, strings.Join(p.Scopes, ""), callback)
	},
}

// plain is the driver of a provider that is at one place.
func plain[P goth.Provider](make func(id, secret, callback string, scopes ...string) P) driver {
	return func(p Provider, callback string) goth.Provider {
		return make(p.ClientID, p.ClientSecret, callback, p.Scopes...)
	}
}

// fixed is the driver of one without scopes.
func fixed[P goth.Provider](make func(id, secret, callback string) P) driver {
	return func(p Provider, callback string) goth.Provider { return make(p.ClientID, p.ClientSecret, callback) }
}

// placed are the drivers of servers that have no place of their own: they need an issuer.
var placed = []string{"auth0", "cloudfoundry", "cognito", "nextcloud", "okta"}

// tokened are the drivers of OAuth 1.0a: a request token is fetched first, and there is no
// state.
var tokened = []string{"tumblr", "twitter", "twitterv2", "xero"}

// challenged are the drivers of providers that say in their documentation that they take
// PKCE (RFC 7636), which goth does not send.
var challenged = []string{
	"amazon", "auth0", "azureadv2", "cognito", "discord", "dropbox", "fitbit", "gitea", "github", "gitlab", "google", "kakao", "line", "mastodon", "microsoftonline",
	"okta", "salesforce", "spotify", "zoom",
}

// server is the address of a server of one's own.
func server(issuer string) string { return strings.TrimSuffix(issuer, "/") }

func or(issuer, usual string) string {
	if issuer == "" {
		return usual
	}
	return server(issuer)
}

func host(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	return u.Host
}

// tenant is the tenant in an issuer such as https://login.microsoftonline.com/TENANT/v2.0.
func tenant(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	return first
}
