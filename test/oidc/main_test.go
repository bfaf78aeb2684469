package oidc_test

import (
	"os"
	"testing"

	"github.com/djauthy/djauthy/test/program"
)

var binary program.Binary

func TestMain(m *testing.M) { os.Exit(program.Main(&binary, m.Run)) }
