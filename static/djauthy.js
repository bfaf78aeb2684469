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

  // A form is sent once; coming back to the page arms it again.
  const sent = new Set();
  document.addEventListener("submit", (event) => {
    if (sent.has(event.target)) event.preventDefault();
    else sent.add(event.target);
  });
  window.addEventListener("pageshow", () => sent.clear());

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

  // "Send it again", as soon as that may be.
  const resend = $("resend");
  const offerResend = () => {
    const form = resend?.querySelector("template");
    if (form) resend.replaceChildren(form.content.cloneNode(true));
  };
  if (resend) {
    const text = resend.querySelector("p");
    countdown(Number(resend.dataset.seconds), (left) => {
      text.textContent = resend.dataset.wait.replace("0:00", left);
    }, offerResend);
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
      offerResend();
    });
  }

  const code = $("auth_code");
  if (code) {
    const hide = () => {
      code.type = "password";
      show.setAttribute("aria-pressed", "false");
    };
    const show = document.createElement("button");
    show.type = "button";
    show.textContent = code.dataset.show;
    show.setAttribute("aria-label", code.dataset.name);
    show.setAttribute("aria-pressed", "false");
    show.setAttribute("aria-controls", code.id);
    show.addEventListener("click", () => {
      const hidden = code.type === "password";
      code.type = hidden ? "text" : "password";
      show.setAttribute("aria-pressed", String(hidden));
    });
    code.after(show);
    code.parentElement.classList.add("switched");
    // As text, the browser would keep the code among the things typed before.
    code.form.addEventListener("submit", hide);

    // The last digit sends the form, unless something was corrected on the way.
    const length = Number(code.dataset.length);
    let corrected = false;
    code.addEventListener("input", (event) => {
      if (event.inputType?.startsWith("delete")) corrected = true;
      const typed = code.value.normalize("NFKC").replace(/[\s-]/g, "");
      if (length && !corrected && typed.length === length && /^\d+$/.test(typed)) code.form.requestSubmit();
    });
  }
})();
