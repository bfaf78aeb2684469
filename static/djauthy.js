// What the pages do better with script. Every one of them works without.
(() => {
  "use strict";

  // The page's language, in the region the browser names, or dates look American to everybody.
  const base = document.documentElement.lang;
  const lang = navigator.languages.find((l) => l.split("-")[0] === base) ?? base;
  const $ = (id) => document.getElementById(id);

  // A problem is the first thing to read, also where autofocus is for fields only.
  requestAnimationFrame(() => {
    const summary = $("summary");
    if (document.activeElement !== summary) summary?.focus();
  });

  // Exact times, in the zone of whoever reads: on hover, and for screen readers as text.
  const exact = new Intl.DateTimeFormat(lang, { dateStyle: "long", timeStyle: "long" });
  for (const time of document.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (isNaN(at)) continue;
    time.title = exact.format(at);
    const said = document.createElement("span");
    said.className = "unseen";
    said.textContent = ` (${time.title})`;
    time.append(said);
  }

  // A form is sent once; coming back to the page arms it again. But a page that
  // the browser kept may show what is over by now, so it is asked for anew,
  // without sending a form again. The page with the address has nothing to hide.
  const sent = new Set();
  document.addEventListener("submit", (event) => {
    if (sent.has(event.target)) event.preventDefault();
    else sent.add(event.target);
  });
  window.addEventListener("pageshow", (event) => {
    sent.clear();
    if (!event.persisted || $("id")) return;
    document.documentElement.hidden = true;
    location.replace(document.body.dataset.here || location.pathname + location.search);
  });

  // Calls tick every second with "m:ss" until the seconds are over, then done.
  // It reads the clock, so a machine that slept counts right.
  const countdown = (seconds, tick, done) => {
    const end = Date.now() + seconds * 1000;
    const step = () => {
      const left = Math.ceil((end - Date.now()) / 1000);
      if (left <= 0) {
        clearInterval(timer);
        done();
        return;
      }
      tick(`${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`);
    };
    const timer = setInterval(step, 1000);
    step();
  };

  // What a page says once a time is over waits in a template.
  const turn = (element) => {
    const next = element?.querySelector("template");
    if (next) element.replaceChildren(next.content);
  };

  // "Send it again", as soon as that may be.
  const resend = $("resend");
  if (resend) {
    const text = resend.querySelector("p");
    countdown(Number(resend.dataset.seconds), (left) => {
      text.textContent = resend.dataset.wait.replace("0:00", left);
    }, () => turn(resend));
  }

  // A code to copy.
  for (const line of document.querySelectorAll("[data-copy]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = line.dataset.copy;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(line.querySelector("code").textContent);
      button.textContent = line.dataset.copied;
    });
    line.append(" ", button);
  }

  // A page for paper.
  for (const line of document.querySelectorAll("[data-print]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = line.dataset.print;
    button.addEventListener("click", () => print());
    line.append(button);
  }

  // A page that looks again by itself, unless somebody is about to copy from it.
  const every = Number(document.body.dataset.again);
  if (every) setInterval(() => { if (!document.hidden && getSelection().isCollapsed) location.reload(); }, every * 1000);

  // When something may be tried again.
  const again = $("again");
  if (again) {
    countdown(Number(again.dataset.seconds), (left) => {
      again.textContent = again.dataset.wait.replace("0:00", left);
    }, () => again.remove());
  }

  // How long the code still works. A timer is silent to screen readers unless they ask.
  const until = $("until");
  if (until) {
    until.setAttribute("role", "timer");
    until.setAttribute("aria-live", "off");
    countdown(Number(until.dataset.seconds), (left) => {
      until.textContent = until.dataset.left.replace("0:00", left);
    }, () => {
      until.textContent = until.dataset.over;
      until.classList.add("over");
      turn($("lead"));
      turn(resend);
    });
  }

  // Poll for the answer to the question of the message, then submit the form.
  const answer = $("answer");
  if (answer) {
    const ask = setInterval(async () => {
      if (document.hidden) return;
      const said = await fetch(answer.action).catch(() => null);
      if (said?.status !== 200) return;
      clearInterval(ask);
      answer.requestSubmit();
    }, 2000);
  }

  const code = $("auth_code");
  if (code) {
    // "Show" in the field, and then "Hide".
    const button = document.createElement("button");
    const show = (shown) => {
      code.type = shown ? "text" : "password";
      button.textContent = shown ? code.dataset.hide : code.dataset.show;
      button.setAttribute("aria-label", shown ? code.dataset.hideName : code.dataset.showName);
    };
    button.type = "button";
    button.setAttribute("aria-controls", code.id);
    button.addEventListener("click", () => show(code.type === "password"));
    show(false);
    code.after(button);
    code.parentElement.classList.add("switched");
    // As text, the browser would keep the code among the things typed before.
    code.form.addEventListener("submit", () => show(false));

    // The last digit sends the form, unless something was corrected on the way.
    const length = Number(code.dataset.length);
    let corrected = false;
    code.addEventListener("input", (event) => {
      if (event.inputType?.startsWith("delete")) corrected = true;
      const typed = code.value.normalize("NFKC").replace(/[\s-]/g, "");
      if (length && !corrected && typed.length === length && /^\d+$/.test(typed)) code.form.requestSubmit();
    });
  }

  // Passkeys. A form says what the browser is to do in data-passkey: create one, or get a proof
  // by one. Its options stand in the page, or are fetched when they are needed.
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const known = (list) => list?.map((x) => ({ ...x, id: bytes(x.id) }));
  const optionsOf = (json) => ({
    ...json, challenge: bytes(json.challenge),
    ...(json.user && { user: { ...json.user, id: bytes(json.user.id) } }),
    ...(json.excludeCredentials && { excludeCredentials: known(json.excludeCredentials) }),
    ...(json.allowCredentials && { allowCredentials: known(json.allowCredentials) }),
  });
  const responseOf = (c) => {
    const r = c.response, out = { clientDataJSON: text(r.clientDataJSON) };
    for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) if (r[name]) out[name] = text(r[name]);
    if (r.getTransports) out.transports = r.getTransports();
    return JSON.stringify({
      id: c.id, rawId: text(c.rawId), type: c.type, response: out,
      authenticatorAttachment: c.authenticatorAttachment ?? undefined, clientExtensionResults: c.getClientExtensionResults(),
    });
  };

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const button = form.querySelector("button"), said = form.querySelector("[role=status]");
    if (!window.PublicKeyCredential) {
      if (form.dataset.missing) said.textContent = form.dataset.missing;
      button.hidden = true;
      continue;
    }
    form.hidden = false;
    let waiting;
    const use = async (mediation) => {
      waiting?.abort();
      const mine = waiting = new AbortController();
      try {
        let { options, kept } = { options: form.dataset.options && JSON.parse(form.dataset.options), kept: form.elements.kept.value };
        if (form.dataset.begin) {
          const answer = await fetch(form.dataset.begin);
          if (!answer.ok) throw new Error("no options");
          ({ options, kept } = await answer.json());
        }
        const made = await navigator.credentials[form.dataset.passkey]({ publicKey: optionsOf(options), mediation, signal: mine.signal });
        form.elements.kept.value = kept;
        form.elements.response.value = responseOf(made);
        form.requestSubmit();
      } catch (err) {
        if (mediation || mine.signal.aborted) return;
        said.textContent = err.name === "InvalidStateError" && form.dataset.taken || form.dataset.failed;
        offer();
      }
    };
    button.addEventListener("click", (event) => {
      event.preventDefault();
      said.textContent = "";
      use();
    });
    // The sign-in box offers them among what was typed before.
    const offer = async () => {
      if (form.dataset.begin && await PublicKeyCredential.isConditionalMediationAvailable?.()) use("conditional");
    };
    offer();
  }

  // A passkey shows the name that its owner had when it was made.
  const owner = document.querySelector("[data-passkey-owner]")?.dataset;
  if (owner) {
    window.PublicKeyCredential?.signalCurrentUserDetails?.({ rpId: location.hostname, userId: owner.passkeyOwner, name: owner.name, displayName: owner.displayName }).catch(() => {});
  }

  // A passkey that is not known here any more is of no use to the browser.
  const unknown = document.querySelector("[data-unknown-passkey]");
  if (unknown) {
    window.PublicKeyCredential?.signalUnknownCredential?.({ rpId: location.hostname, credentialId: unknown.dataset.unknownPasskey }).catch(() => {});
  }
})();
