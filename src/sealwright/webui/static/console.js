// The little that the pages cannot do without a script: the token behind '#' of a sign-in link, and passkeys.
"use strict";

const decode = (text) => {
  const binary = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
};

const encode = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

const post = async (path, value, token) => {
  const headers = { "Content-Type": "application/json" };
  if (token) headers["X-Form-Token"] = token;
  const response = await fetch(`/console/passkeys/${path}`, { method: "POST", headers, body: JSON.stringify(value) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
};

const show = (error) => {
  const place = document.querySelector("[data-error]");
  const cancelled = error.name === "NotAllowedError" || error.name === "AbortError";
  place.textContent = cancelled ? "No passkey was used. Try again, or use a password." : error.message;
  place.hidden = false;
};

const register = async (button) => {
  const field = document.querySelector("input[name=name]");
  if (field && !field.reportValidity()) return;
  const name = field ? field.value : "";
  const token = button.dataset.formToken;
  const { challenge_id, options } = await post("register/options", { name }, token);
  options.challenge = decode(options.challenge);
  options.user.id = decode(options.user.id);
  for (const known of options.excludeCredentials || []) known.id = decode(known.id);
  const made = await navigator.credentials.create({ publicKey: options });
  const credential = {
    id: made.id,
    rawId: encode(made.rawId),
    type: made.type,
    response: {
      attestationObject: encode(made.response.attestationObject),
      clientDataJSON: encode(made.response.clientDataJSON),
    },
  };
  location.assign((await post("register", { challenge_id, credential, name }, token)).location);
};

const signIn = async () => {
  const { challenge_id, options } = await post("sign-in/options", {});
  options.challenge = decode(options.challenge);
  const used = await navigator.credentials.get({ publicKey: options });
  const credential = {
    id: used.id,
    rawId: encode(used.rawId),
    type: used.type,
    response: {
      authenticatorData: encode(used.response.authenticatorData),
      clientDataJSON: encode(used.response.clientDataJSON),
      signature: encode(used.response.signature),
      userHandle: used.response.userHandle ? encode(used.response.userHandle) : null,
    },
  };
  location.assign((await post("sign-in", { challenge_id, credential })).location);
};

const onClick = (selector, act) => {
  const button = document.querySelector(selector);
  if (!button) return;
  if (!window.PublicKeyCredential) {
    button.disabled = true;
    return;
  }
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await act(button);
    } catch (error) {
      show(error);
    }
    button.disabled = false;
  });
};

const openLink = () => {
  const form = document.querySelector("[data-link]");
  const token = location.hash.slice(1);
  if (!form || !token) return;
  history.replaceState(null, "", location.pathname);
  form.elements.link.value = token;
  document.querySelector("[data-ordinary]").hidden = true;
  form.hidden = false;
  form.requestSubmit();
};

onClick("[data-passkey-register]", register);
onClick("[data-passkey-sign-in]", signIn);
openLink();
window.addEventListener("hashchange", openLink);
