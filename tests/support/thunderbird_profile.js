// Preferences of the profile that tests/support/thunderbird.py makes; @NAMES@ are filled in there.
user_pref("mail.accountmanager.accounts", "account1,account2");
user_pref("mail.accountmanager.defaultaccount", "account1");
user_pref("mail.accountmanager.localfoldersserver", "server2");
user_pref("mail.account.lastKey", 2);
user_pref("mail.account.account1.identities", "id1");
user_pref("mail.account.account1.server", "server1");
user_pref("mail.account.account2.server", "server2");
user_pref("mail.server.server1.type", "imap");
user_pref("mail.server.server1.name", "@ADDRESS@");
user_pref("mail.server.server1.hostname", "127.0.0.1");
user_pref("mail.server.server1.port", @IMAP_PORT@);
user_pref("mail.server.server1.userName", "@ADDRESS@");
user_pref("mail.server.server1.socketType", 3); // TLS from the first octet
user_pref("mail.server.server1.authMethod", 3); // password
// Asking for the password is modal and would block the driver's session for ever.
user_pref("mail.server.server1.login_at_startup", false);
user_pref("mail.server.server1.check_new_mail", false);
user_pref("mail.server.server2.type", "none");
user_pref("mail.server.server2.name", "Local Folders");
user_pref("mail.server.server2.hostname", "Local Folders");
user_pref("mail.server.server2.userName", "nobody");
user_pref("mail.smtpservers", "smtp1");
user_pref("mail.smtp.defaultserver", "smtp1");
user_pref("mail.smtpserver.smtp1.hostname", "127.0.0.1");
user_pref("mail.smtpserver.smtp1.port", @SUBMISSION_PORT@);
user_pref("mail.smtpserver.smtp1.username", "@ADDRESS@");
user_pref("mail.smtpserver.smtp1.authMethod", 3);
user_pref("mail.smtpserver.smtp1.try_ssl", 3);
user_pref("mail.identity.id1.fullName", "@NAME@");
user_pref("mail.identity.id1.useremail", "@ADDRESS@");
user_pref("mail.identity.id1.smtpServer", "smtp1");
user_pref("mail.identity.id1.valid", true);
user_pref("mail.identity.id1.compose_html", false);
user_pref("mail.identity.id1.fcc", false);
// Without the database key sending fails: "signing certificate ... is not valid".
user_pref("mail.identity.id1.signing_cert_name", "@ADDRESS@");
user_pref("mail.identity.id1.signing_cert_dbkey", "@SIGNING@");
user_pref("mail.identity.id1.encryption_cert_name", "@ADDRESS@");
user_pref("mail.identity.id1.encryption_cert_dbkey", "@ENCRYPTION@");
user_pref("mail.identity.id1.e2etechpref", 1); // S/MIME
user_pref("mail.e2ee.auto_enable", false);
// A quiet start: no first-run pages, questions or connections.
user_pref("app.donation.eoy.version.viewed", 999);
user_pref("app.update.enabled", false);
user_pref("browser.shell.checkDefaultClient", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("extensions.update.enabled", false);
user_pref("mail.biff.show_alert", false);
user_pref("mail.inappnotifications.enabled", false);
user_pref("mail.provider.suppress_dialog_on_startup", true);
user_pref("mail.rights.version", 1);
user_pref("mail.shell.checkDefaultClient", false);
user_pref("mail.spotlight.firstRunDone", true);
user_pref("mail.startup.enabledMailCheckOnce", true);
user_pref("mail.winsearch.firstRunDone", true);
user_pref("mailnews.database.global.indexer.enabled", false);
user_pref("mailnews.mark_message_read.auto", false);
user_pref("mailnews.start_page.enabled", false);
user_pref("mailnews.start_page_override.mstone", "ignore");
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("security.OCSP.enabled", 0);
user_pref("services.settings.server", "http://127.0.0.1:9/");
user_pref("toolkit.telemetry.enabled", false);
user_pref("marionette.port", @MARIONETTE_PORT@);
