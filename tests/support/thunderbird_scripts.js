// What tests/support/thunderbird.py runs inside Thunderbird. Each function is called by name and gives a promise.
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const certificates = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
const mainWindow = () => Services.wm.getMostRecentWindow("mail:3pane");
const composeWindow = () => Services.wm.getMostRecentWindow("msgcompose");
const pane = () => mainWindow().document.getElementById("tabmail").currentAbout3Pane;
const server = () => MailServices.accounts.accounts[0].incomingServer;

async function windows() {
  return [...Services.wm.getEnumerator(null)].map(window => window.location.href);
}

async function logIn(user, password) {
  for (const origin of ["imap://127.0.0.1", "smtp://127.0.0.1"]) {
    const login = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
    login.init(origin, null, origin, user, password, "", "");
    await Services.logins.addLoginAsync(login);
  }
  server().performExpand(mainWindow().msgWindow);
}

async function inboxUri() {
  const inbox = server().rootFolder.subFolders.find(each => each.flags & Ci.nsMsgFolderFlags.Inbox);
  return inbox?.URI;
}

async function showFolder(uri) {
  pane().displayFolder(uri);
}

async function rowCount() {
  server().rootFolder.subFolders.find(each => each.flags & Ci.nsMsgFolderFlags.Inbox).getNewMessages(null, null);
  return pane().gDBView?.rowCount ?? 0;
}

async function select(messageId) {
  const view = pane().gDBView;
  for (let row = 0; row < view.rowCount; row++) {
    if (view.getMsgHdrAt(row).messageId === messageId) {
      pane().threadTree.selectedIndex = row;
      return;
    }
  }
  throw new Error(`no message ${messageId} in the list`);
}

async function shown(messageId) {
  const about = pane().messageBrowser?.contentWindow;
  const body = about?.getMessagePaneBrowser?.()?.contentDocument?.body;
  if (!body || about.gMessage?.messageId !== messageId) {
    return null;
  }
  const state = id => {
    const icon = about.document.getElementById(id);
    const source = icon && !icon.hidden ? icon.getAttribute("src") ?? "" : "";
    return source.replace(/^.*message-(encrypted|signed)-/, "").replace(/\.svg$/, "");
  };
  return {
    subject: about.document.getElementById("expandedsubjectBox")?.textContent.trim().replace(/^Subject:/, "") ?? "",
    text: body.innerText.trim(),
    encrypted: state("encryptedHdrIcon"),
    signed: state("signedHdrIcon"),
  };
}

async function learnCertificate(base64) {
  certificates.addCertFromBase64(base64, ",,");
}

async function compose(to, subject, text) {
  const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
  Object.assign(fields, { to, subject, body: text });
  const parameters = Cc["@mozilla.org/messengercompose/composeparams;1"].createInstance(Ci.nsIMsgComposeParams);
  parameters.composeFields = fields;
  parameters.identity = MailServices.accounts.accounts[0].defaultIdentity;
  parameters.type = Ci.nsIMsgCompType.New;
  parameters.format = Ci.nsIMsgCompFormat.PlainText;
  MailServices.compose.OpenComposeWindowWithParams(null, parameters);
}

async function composeReady() {
  const window = composeWindow();
  return Boolean(window?.gMsgCompose && window.gSMFields && window.composeEditorReady !== false);
}

async function chooseProtection(encrypted, signed) {
  const window = composeWindow();
  Object.assign(window, {
    gSelectedTechnologyIsPGP: false,
    gSendEncrypted: encrypted,
    gSendSigned: signed,
    gUserTouchedSendEncrypted: true,
    gUserTouchedSendSigned: true,
  });
  await window.checkEncryptionState?.();
}

async function hasCertificate(address) {
  return composeWindow().gSMFields.haveValidCertForEmail(address);
}

async function sendNow() {
  const window = composeWindow();
  window.setTimeout(() => window.GenericSendMessage(Ci.nsIMsgCompDeliverMode.Now), 0);
}
