package services_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/djauthy/djauthy/internal/audit"
	"github.com/djauthy/djauthy/internal/db"
	"github.com/djauthy/djauthy/internal/services"
)

const (
	shopSeed    = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	printerSeed = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
)

// djangoDump is what manage.py dumpdata --indent 2 writes of the original: the
// model is a user of its own beside Django's.
const djangoDump = `[
{
  "model": "contenttypes.contenttype",
  "pk": 1,
  "fields": {
    "app_label": "otpauth",
    "model": "otpseed"
  }
},
{
  "model": "auth.user",
  "pk": 1,
  "fields": {
    "password": "pbkdf2_sha256$120000$abc$def=",
    "last_login": null,
    "is_superuser": true,
    "username": "admin",
    "first_name": "",
    "email": "",
    "date_joined": "2018-12-24T18:30:00.123Z",
    "groups": [],
    "user_permissions": []
  }
},
{
  "model": "otpauth.otpseed",
  "pk": 3,
  "fields": {
    "name": "shop",
    "realm": "ungleich-auth",
    "seed": "` + shopSeed + `"
  }
},
{
  "model": "otpauth.otpseed",
  "pk": 7,
  "fields": {
    "name": "dr\u00fccker \"1\"",
    "realm": "office",
    "seed": "` + printerSeed + `",
    "another": {"a": [1, 2]}
  }
}
]
`

// readAll reads a file to its end.
func readAll(text string, isCSV bool) (all []services.Row, err error) {
	rows, err := services.ReadRows(strings.NewReader(text), isCSV)
	for err == nil {
		var row services.Row
		if row, err = rows.Next(); err == nil {
			all = append(all, row)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return all, err
}

func mustRead(t *testing.T, text string, isCSV bool) []services.Row {
	t.Helper()
	all, err := readAll(text, isCSV)
	check(t, err)
	return all
}

func wantRows(t *testing.T, got []services.Row, wanted ...services.Row) {
	t.Helper()
	if len(got) != len(wanted) {
		t.Fatalf("%d rows, want %d: %+v", len(got), len(wanted), got)
	}
	for i := range got {
		if got[i] != wanted[i] {
			t.Errorf("row %d is %+v, want %+v", i, got[i], wanted[i])
		}
	}
}

func TestADumpIsReadAsDjangoWritesIt(t *testing.T) {
	compact := strings.NewReplacer("\n", "", "  ", "").Replace(djangoDump)
	for _, text := range []string{djangoDump, compact, strings.ReplaceAll(djangoDump, "\n", "\r\n")} {
		wantRows(t, mustRead(t, text, false),
			services.Row{Line: 1, Skip: "contenttypes.contenttype"},
			services.Row{Line: 2, Skip: "auth.user"},
			services.Row{Line: 3, ID: 3, Name: "shop", Realm: "ungleich-auth", Seed: shopSeed},
			services.Row{Line: 4, ID: 7, Name: `drücker "1"`, Realm: "office", Seed: printerSeed})
	}
	wantRows(t, mustRead(t, "[]", false))
}

func TestAnEntryNeedNoNumberInADump(t *testing.T) {
	const fields = `"fields": {"name": "a", "realm": "b", "seed": "C"}}]`
	for pk, id := range map[string]services.ID{`"pk": 5, `: 5, `"pk": "5", `: 5, `"pk": null, `: 0, ``: 0, `"pk": "0d1f3c7e-3f0a-4f6e-9d55-3a2b1c0d9e8f", `: 0, `"pk": -1, `: 0, `"pk": 1.5, `: 0} {
		wantRows(t, mustRead(t, `[{"model": "m", `+pk+fields, false), services.Row{Line: 1, ID: id, Name: "a", Realm: "b", Seed: "C"})
	}
}

func TestWrongTypesInADumpAreAProblemOfTheirRow(t *testing.T) {
	for _, field := range []string{"name", "realm", "seed"} {
		for _, value := range []string{"5", "null", "true", `["x"]`, `{"x": "y"}`} {
			fields := map[string]string{"name": `"shop"`, "realm": `"office"`, "seed": `"` + shopSeed + `"`}
			fields[field] = value
			text := fmt.Sprintf(`[{"model": "m", "pk": 1, "fields": {"name": %s, "realm": %s, "seed": %s}}, {"model": "m", "pk": 2, "fields": {"name": "x", "realm": "y", "seed": "Z"}}]`,
				fields["name"], fields["realm"], fields["seed"])
			rows := mustRead(t, text, false)
			if len(rows) != 2 || !strings.Contains(rows[0].Problem, field) || rows[0].Skip != "" || rows[1].Problem != "" {
				t.Errorf("%s is %s: %+v", field, value, rows)
			}
		}
	}
	for value, wrong := range map[string]bool{"5": true, "true": true, `["x"]`: true, `{"x": "y"}`: true, `"soon"`: true, `""`: true, "null": false, `"2027-01-31T12:00:00Z"`: false} {
		rows := mustRead(t, `[{"model": "m", "pk": 1, "fields": {"name": "shop", "realm": "office", "seed": "`+shopSeed+`", "expires": `+value+`}}]`, false)
		if len(rows) != 1 || strings.Contains(rows[0].Problem, "expires") != wrong {
			t.Errorf("expires is %s: %+v", value, rows)
		}
	}
	rows := mustRead(t, `[{"model": "m", "pk": 1, "fields": {"seed": "`+shopSeed+`"}}]`, false)
	if len(rows) != 1 || rows[0].Problem == "" {
		t.Errorf("without name and realm: %+v", rows)
	}
}

func TestADumpThatIsCutOffGivesWhatIsWholeAndAnError(t *testing.T) {
	whole := strings.Index(djangoDump, `"pk": 7`)
	if rows, err := readAll(djangoDump[:whole], false); err == nil || len(rows) != 3 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	for cut := 1; cut < len(strings.TrimSpace(djangoDump)); cut++ {
		if rows, err := readAll(djangoDump[:cut], false); err == nil {
			t.Fatalf("cut off at %d no error comes, and %d rows", cut, len(rows))
		}
	}
}

func TestWhatIsNoDumpIsRefused(t *testing.T) {
	for _, text := range []string{"", " ", "\ufeff", "name,realm,seed\n", "5", "null", "<html>", "[5]", "[[]]", `["x"]`, `[{"fields": 5}]`, `[{"model": "m"} {"model": "m"}]`} {
		if rows, err := readAll(text, false); err == nil {
			t.Errorf("%q is read as %+v", text, rows)
		}
	}
}

func TestCSVIsReadInEveryFormThatSpreadsheetsWrite(t *testing.T) {
	row := services.Row{Line: 2, ID: 4, Name: "shop", Realm: "office", Seed: shopSeed}
	for name, text := range map[string]string{
		"plain":             "id,name,realm,seed\n4,shop,office," + shopSeed + "\n",
		"another order":     "seed,Realm, NAME ,comment,ID\n" + shopSeed + ",office,shop,hello,4\n",
		"CR LF":             "id,name,realm,seed\r\n4,shop,office," + shopSeed + "\r\n",
		"no end":            "id,name,realm,seed\n4,shop,office," + shopSeed,
		"BOM":               "\ufeffid,name,realm,seed\n4,shop,office," + shopSeed + "\n",
		"BOM before name":   "\ufeffname,realm,seed,id\nshop,office," + shopSeed + ",4\n",
		"all quoted":        "\"id\",\"name\",\"realm\",\"seed\"\r\n\"4\",\"shop\",\"office\",\"" + shopSeed + "\"\r\n",
		"BOM before quotes": "\ufeff\"id\",\"name\",\"realm\",\"seed\"\r\n\"4\",\"shop\",\"office\",\"" + shopSeed + "\"\r\n",
	} {
		rows, err := readAll(text, true)
		if err != nil || len(rows) != 1 || rows[0] != row {
			t.Errorf("%s: %+v, %v", name, rows, err)
		}
	}
}

func TestQuotedTextsInCSVKeepCommasQuotesAndLines(t *testing.T) {
	wantRows(t, mustRead(t, "name,realm,seed\n\"a, \"\"b\"\"\",\"two\nlines\",X\nc,d,Y\n", true),
		services.Row{Line: 2, Name: `a, "b"`, Realm: "two\nlines", Seed: "X"},
		services.Row{Line: 4, Name: "c", Realm: "d", Seed: "Y"})
}

func TestCSVWithoutItsColumnsIsRefused(t *testing.T) {
	for _, missing := range []string{"name", "realm", "seed"} {
		head := strings.Replace("id,name,realm,seed", missing, "other", 1)
		if _, err := services.ReadRows(strings.NewReader(head+"\n1,a,b,C\n"), true); err == nil || !strings.Contains(err.Error(), `"`+missing+`"`) {
			t.Errorf("without %s: %v", missing, err)
		}
	}
	if _, err := services.ReadRows(strings.NewReader(""), true); err == nil {
		t.Error("an empty file is CSV")
	}
}

// A quote in the wrong place spoils its line and no other.
func TestALineThatIsNoCSVIsAProblemOfItsOwn(t *testing.T) {
	for _, bad := range []string{`a,b"b,C`, `a"a,b,C`, `"a"a,b,C`} {
		t.Run(bad, func(t *testing.T) {
			rows, err := readAll("name,realm,seed\n"+bad+"\nshop,office,"+shopSeed+"\n", true)
			if err != nil || len(rows) != 2 || rows[0].Problem == "" || rows[0].Line != 2 || rows[1].Name != "shop" || rows[1].Line != 3 {
				t.Errorf("%+v, %v", rows, err)
			}
		})
	}
}

func (h *house) tryImport(t *testing.T, r services.Row) (o services.Outcome, reason string) {
	t.Helper()
	h.update(t, func(tx *db.Tx) (err error) {
		o, reason, err = h.s.Import(tx, r, audit.By{Actor: audit.Command})
		return err
	})
	return o, reason
}

func (h *house) importAll(t *testing.T, rows []services.Row) (outcomes []services.Outcome) {
	t.Helper()
	for _, r := range rows {
		o, _ := h.tryImport(t, r)
		outcomes = append(outcomes, o)
	}
	return outcomes
}

func TestAnImportKeepsNumbersAndSeeds(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		got := h.importAll(t, mustRead(t, djangoDump, false))
		want(t, fmt.Sprint(got), fmt.Sprint([]services.Outcome{services.Skipped, services.Skipped, services.Imported, services.Imported}))
		h.view(t, func(tx *db.Tx) error {
			shop, err := h.s.Find(tx, "shop", services.AuthRealm)
			if err != nil || shop.ID != 3 || shop.Seed != shopSeed {
				t.Errorf("%+v, %v", shop, err)
			}
			printer, err := h.s.Get(tx, 7)
			if err != nil || printer.Name != `drücker "1"` || printer.Seed != printerSeed {
				t.Errorf("%+v, %v", printer, err)
			}
			return nil
		})
		want(t, h.add(t, "next", "office").ID, 8)
		shop := services.Entry{Name: "shop", Realm: services.AuthRealm, Seed: shopSeed}
		want(t, h.calls(t, shop, home), services.OK)
	})
}

func TestAnImportThatBrokeOffIsTakenUpAgain(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		rows := mustRead(t, djangoDump, false)
		h.importAll(t, rows[:3])
		got := h.importAll(t, rows)
		want(t, fmt.Sprint(got), fmt.Sprint([]services.Outcome{services.Skipped, services.Skipped, services.Present, services.Imported}))
		h.untouched(t, func() { h.importAll(t, rows) })
	})
}

func TestRowsWithoutANumberGetTheNext(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.importAll(t, mustRead(t, "name,realm,seed,id\na,office,"+shopSeed+",5\n b , office ,"+shopSeed+" ,\nc,office,"+shopSeed+",x\n", true))
		want(t, h.count(t, `SELECT id FROM services WHERE name = 'b' AND realm = 'office'`), 6)
		want(t, h.count(t, `SELECT id FROM services WHERE name = 'c'`), 7)
	})
}

func TestARowThatCannotBeIsNamedWithItsReasonAndStoresNothing(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		h.addNumber(t, "here", 3)
		taken, err := h.tryAdd(t, services.Draft{Name: "shop", Realm: "office", Seed: shopSeed})
		check(t, err)
		app := h.addApp(t, services.App{Name: "app", Username: "ann"})
		end := h.clock.Now().Add(time.Hour)
		_, err = h.tryAdd(t, services.Draft{Name: "short", Realm: "office", Seed: shopSeed, Expires: end})
		check(t, err)
		h.untouched(t, func() {
			for reason, r := range map[string]services.Row{
				"another seed":                        {Name: "shop", Realm: "office", Seed: printerSeed},
				"another seed ":                       {ID: taken.ID, Name: "shop", Realm: "office", Seed: printerSeed},
				"number 3 belongs to another":         {ID: 3, Name: "new", Realm: "office", Seed: shopSeed},
				fmt.Sprintf("number %d ", app.ID):     {ID: app.ID, Name: "new", Realm: "office", Seed: shopSeed},
				"it is here and ends: never, not ":    {Name: "shop", Realm: "office", Seed: shopSeed, Expires: end},
				"it is here and ends: 20":             {Name: "short", Realm: "office", Seed: shopSeed, Expires: end.Add(time.Second)},
				"the seed is empty":                   {Name: "new", Realm: "office", Seed: " "},
				"base32":                              {Name: "new", Realm: "office", Seed: "01!"},
				"1 to 128 characters":                 {Name: "", Realm: "office", Seed: shopSeed},
				"1 to 128 characters,":                {Name: "new", Realm: strings.Repeat("x", 129), Seed: shopSeed},
				"no white space around them and none": {Name: "new\x00", Realm: "office", Seed: shopSeed},
				"and none that is null":               {Name: "dr\xfccker", Realm: "office", Seed: shopSeed}, // Latin-1
				"what it is":                          {Problem: "what it is"},
			} {
				if o, got := h.tryImport(t, r); o != services.Rejected || !strings.Contains(got, strings.TrimSpace(reason)) {
					t.Errorf("%+v: %v, %q", r, o, got)
				}
			}
		})
	})
}

// 1970 and the year 1 are common ways to say that something is over.
func TestAnEndLongAgoIsAnEnd(t *testing.T) {
	run(t, func(t *testing.T, h *house) {
		shop, _ := h.addPair(t)
		ends := []string{"1969-12-31T00:00:00Z", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "1970-01-01", "2001-01-31"}
		text := "name,realm,seed,expires\n"
		for i, end := range ends {
			text += fmt.Sprintf("over%d,%s,%s, %s \n", i, services.AuthRealm, shopSeed, end)
		}
		for _, r := range mustRead(t, text, true) {
			if o, why := h.tryImport(t, r); o != services.Imported {
				t.Errorf("%+v: %v, %s", r, o, why)
			}
		}
		for i, end := range ends {
			var e services.Entry
			h.view(t, func(tx *db.Tx) (err error) {
				e, err = h.s.Find(tx, fmt.Sprintf("over%d", i), services.AuthRealm)
				return err
			})
			if h.calls(t, e, home) != services.BadCaller || h.asks(t, shop, h.triple(t, e)) != services.BadClaim {
				t.Errorf("one that ended at %s is good", end)
			}
		}
	})
}

// A comma in a name that is not quoted would move the realm to where the seed is,
// and many a word is base32.
func TestACSVLineOfTheWrongLengthIsNotTaken(t *testing.T) {
	for _, bad := range []string{"shop", "shop,office", "shop,office,", "Shop, the,printers," + shopSeed, "shop,office,JBSWY3DP,more"} {
		t.Run(bad, func(t *testing.T) {
			run(t, func(t *testing.T, h *house) {
				rows := mustRead(t, "name,realm,seed\n"+bad+"\ngood,office,"+shopSeed+"\n", true)
				got := h.importAll(t, rows)
				want(t, fmt.Sprint(got), fmt.Sprint([]services.Outcome{services.Rejected, services.Imported}))
			})
		})
	}
}
