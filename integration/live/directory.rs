//! The LDAP client against both domains of the lab.

use std::process::Command;
use std::time::{Duration, Instant};

use gpoctl::ErrorKind;
use gpoctl::auth::Identity;
use gpoctl::auth::tls::TlsSettings;
use gpoctl::directory::discovery::find_controller;
use gpoctl::directory::links::SomKind;
use gpoctl::directory::wmi::WmiFilterLookup;
use gpoctl::directory::{Directory, DirectorySettings, LdapSecurity};
use gpoctl::domain::principals::{Lookup, PrincipalDirectory as _, PrincipalQuery};
use gpoctl::model::dn::Dn;
use gpoctl::model::guid::Guid;
use gpoctl::model::principal::PrincipalType;
use secrecy::SecretString;

use crate::support::loopback;
use lab::{DST, Domain, SRC, certificate_sha256, kinit, relay};

/// How long DNS may take in the lab.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A case against the lab, on a runtime of one thread as gpoctl itself has.
macro_rules! live {
    ($(#[$meta:meta])* async fn $name:ident() $body:block) => {
        $(#[$meta])*
        #[tokio::test]
        #[ignore = "needs the lab"]
        async fn $name() {
            $body
        }
    };
}

pub mod lab;
mod writing;

live! {
    async fn sealed_with_password_in_both_realms_at_once() {
        let (src, dst) = tokio::join!(SRC.connect(), DST.connect());
        for (directory, domain) in [(&src, &SRC), (&dst, &DST)] {
            let info = directory.info();
            assert_eq!(info.dns_domain.as_str(), domain.var("DOMAIN"));
            assert_eq!(info.netbios_domain, domain.var("NETBIOS"));
            // Each is the only domain of its forest, whose crossRef contains its SID.
            assert_eq!(info.forest_root_sid, Some(info.domain_sid.clone()));
            assert_eq!(info.forest_domains, std::slice::from_ref(&info.base));
            assert!(info.is_samba());
            assert_eq!(info.server, domain.var("SERVER").parse().unwrap());
            assert_eq!(info.pdc, Some(domain.var("SERVER").parse().unwrap()));
            assert_eq!(info.user_sid, Some(info.domain_sid.with_rid(500)));
            assert_eq!(info.bound_as, domain.var("USER"));
        }
        assert_ne!(src.info().domain_sid, dst.info().domain_sid);
        assert_ne!(src.info().domain_guid, dst.info().domain_guid);
    }
}

live! {
    async fn ticket_caches_of_both_realms_in_turn() {
        let folder = tempfile::tempdir().unwrap();
        let cache = |domain: &Domain| {
            let path = folder.path().join(domain.key);
            let name = format!("FILE:{}", path.display());
            kinit(&name, domain);
            // A bare path is a FILE cache as well.
            (path.display().to_string(), name)
        };
        let caches = [(&SRC, cache(&SRC)), (&DST, cache(&DST))];
        for round in 0..4 {
            for (domain, (bare, full)) in &caches {
                let settings = DirectorySettings {
                    identity: Identity::TicketCache {
                        cache: Some(if round % 2 == 0 { bare } else { full }.clone()),
                        principal: (round > 1).then(|| domain.var("USER")),
                    },
                    ..domain.settings()
                };
                let directory = Directory::connect(&settings).await.unwrap();
                assert_eq!(directory.info().bound_as, domain.var("USER"));
            }
        }
        // The cache of one realm must not be accepted for a principal of the other.
        let settings = DirectorySettings {
            identity: Identity::TicketCache {
                cache: Some(caches[0].1.1.clone()),
                principal: Some(DST.var("USER")),
            },
            ..DST.settings()
        };
        let error = DST.refused(settings).await;
        assert!(error.message().contains("belongs to"), "{error}");
    }
}

live! {
    async fn ldaps_and_start_tls_with_the_lab_authority() {
        for domain in [&SRC, &DST] {
            for security in [LdapSecurity::Ldaps, LdapSecurity::StartTls] {
                let settings = DirectorySettings {
                    security,
                    tls: domain.tls(),
                    ..domain.settings()
                };
                let directory = Directory::connect(&settings).await.unwrap();
                assert!(directory.info().is_samba());
                assert_eq!(
                    directory.info().user_sid,
                    Some(directory.info().domain_sid.with_rid(500))
                );
                assert!(directory.count_schema(true).await.unwrap() > 1500);
            }
        }
    }
}

live! {
    async fn certificates_that_are_not_trusted_are_refused() {
        for security in [LdapSecurity::Ldaps, LdapSecurity::StartTls] {
            let with = |tls: TlsSettings| DirectorySettings {
                security,
                tls,
                ..SRC.settings()
            };
            let error = SRC.refused(with(DST.tls())).await;
            assert_eq!(error.kind(), ErrorKind::Connect);
            assert!(error.message().contains("not signed by a trusted authority"), "{error}");
            // The right certificate authority, another host.
            let other = DirectorySettings {
                server: "dc9.src.test".parse().unwrap(),
                ..with(SRC.tls())
            };
            let error = SRC.refused(other).await;
            assert!(error.message().contains("certificate is not for dc9.src.test"), "{error}");
            // A pin replaces chain and name; a wrong one is refused.
            let pin = certificate_sha256(&SRC.var("ADDRESS"));
            let pinned = |pin: String| with(TlsSettings::new().pin(pin));
            Directory::connect(&pinned(pin)).await.unwrap();
            let error = SRC.refused(pinned("00".repeat(32))).await;
            assert!(error.message().contains("not the pinned one"), "{error}");
        }
        let system = DirectorySettings {
            security: LdapSecurity::Ldaps,
            ..SRC.settings()
        };
        // Without the lab's certificate authority: refused by those of the system, or there are none on this machine.
        assert_ne!(SRC.refused(system).await.kind(), ErrorKind::Internal);
    }
}

live! {
    async fn wrong_identities_are_refused_with_a_reason() {
        for security in [LdapSecurity::Sealed, LdapSecurity::Ldaps] {
            let with = |user: String, password: &str| DirectorySettings {
                security,
                tls: SRC.tls(),
                identity: Identity::Password { user, password: SecretString::from(password) },
                ..SRC.settings()
            };
            // An account that nothing else uses, so a lock-out does no harm.
            let error = SRC.refused(with("bob@SRC.TEST".to_owned(), "wr0ng-p4ss")).await;
            assert_eq!(error.kind(), ErrorKind::Connect);
            assert!(error.message().contains("password"), "{error}");
            assert!(!error.to_string().contains("wr0ng-p4ss"));
            let error = SRC.refused(with("nobody-here@SRC.TEST".to_owned(), "wr0ng-p4ss")).await;
            assert_eq!(error.kind(), ErrorKind::Connect);
        }
        let over_tls = DirectorySettings {
            security: LdapSecurity::Ldaps,
            tls: SRC.tls(),
            identity: Identity::TicketCache { cache: None, principal: None },
            ..SRC.settings()
        };
        assert_eq!(SRC.refused(over_tls).await.kind(), ErrorKind::Usage);
    }
}

live! {
    async fn wrong_hosts_and_domains_are_refused_with_a_reason() {
        let error = SRC
            .refused(DirectorySettings {
                server: "no-such-host.invalid".parse().unwrap(),
                address: None,
                ..SRC.settings()
            })
            .await;
        assert!(error.message().contains("no-such-host.invalid"), "{error}");
        let error = SRC
            .refused(DirectorySettings {
                server: "dc9.src.test".parse().unwrap(),
                ..SRC.settings()
            })
            .await;
        assert!(error.message().contains("does not know the service"), "{error}");
        // The other domain's DC with this domain's name: over TLS with a pin, so only the check of the domain can detect it.
        let error = SRC
            .refused(DirectorySettings {
                domain: Some(DST.var("DOMAIN").parse().unwrap()),
                security: LdapSecurity::Ldaps,
                tls: SRC.tls(),
                ..SRC.settings()
            })
            .await;
        assert!(error.message().contains("not of dst.test"), "{error}");
        // A realm without a KDC.
        let error = SRC
            .refused(DirectorySettings {
                identity: Identity::Password {
                    user: "joe@NOWHERE.INVALID".to_owned(),
                    password: SecretString::from("x"),
                },
                ..SRC.settings()
            })
            .await;
        assert!(error.message().contains("no KDC"), "{error}");
    }
}

live! {
    async fn sealed_replies_far_above_64_kib() {
        let directory = SRC.connect().await;
        let begin = Instant::now();
        let whole = directory.count_schema(false).await.unwrap();
        assert!(whole > 1500, "{whole}");
        for _ in 0..10 {
            assert_eq!(directory.count_schema(false).await.unwrap(), whole);
            assert_eq!(directory.count_schema(true).await.unwrap(), whole);
        }
        // Several at once over the one connection.
        let many = (0..4).map(|_| {
            let directory = directory.clone();
            tokio::spawn(async move { directory.count_schema(true).await.unwrap() })
        });
        for task in many.collect::<Vec<_>>() {
            assert_eq!(task.await.unwrap(), whole);
        }
        println!("25 schema reads of {whole} objects: {:?}", begin.elapsed());
    }
}

live! {
    async fn the_controller_of_a_domain_is_found_by_its_dns() {
        let nameserver = Some(SRC.var("NAMESERVER").parse().unwrap());
        let domain = SRC.var("DOMAIN").parse().unwrap();
        let found = find_controller(&domain, nameserver, TIMEOUT).await.unwrap();
        assert_eq!(found.server, SRC.var("SERVER").parse().unwrap());
        assert_eq!(found.address, nameserver);
        let settings = DirectorySettings {
            server: found.server,
            address: found.address,
            ..SRC.settings()
        };
        let directory = Directory::connect(&settings).await.unwrap();
        assert_eq!(Some(&directory.info().server), directory.info().pdc.as_ref());

        let unknown = "nowhere.test".parse().unwrap();
        let error = find_controller(&unknown, nameserver, TIMEOUT).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert!(error.to_string().contains("nowhere.test"), "{error}");
        // An address where nothing answers.
        let nobody = Some("127.0.0.253".parse().unwrap());
        let error = find_controller(&domain, nobody, Duration::from_secs(3)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
    }
}

live! {
    async fn all_gpos_in_one_search() {
        let directory = SRC.connect().await;
        assert_eq!(directory.searches(), 0);
        let gpos = directory.gpos().await.unwrap();
        assert_eq!(directory.searches(), 1);
        let domain = &directory.info().dns_domain;
        let find = |name: &str| gpos.iter().find(|gpo| gpo.display_name == name).unwrap();
        let everything = find("Everything");
        assert_eq!(everything.guid.to_string(), "{A1B20006-0C4E-4D1A-8F00-5A3B7C9D0006}");
        assert_eq!(everything.functionality_version, Some(2));
        assert_eq!(everything.path_mismatch(domain), None);
        assert!(everything.wmi_filter.is_some());
        assert!(!everything.machine_extensions.is_empty());
        // A self-relative descriptor with owner and DACL [MS-DTYP 2.4.6].
        assert_eq!(everything.security_descriptor[0], 1);
        assert!(everything.security_descriptor.len() > 100);
        assert_eq!(everything.may_write, Some(true));
        assert!(everything.usn_changed > 0);
        assert!(everything.when_changed.ends_with('Z'));
        assert!(find("Default Domain Policy").critical);
        // The editor may write the one GPO that is delegated to it.
        let editor = SRC.connect_editor().await;
        let seen = editor.gpos().await.unwrap();
        let may = |name: &str| seen.iter().find(|gpo| gpo.display_name == name).unwrap().may_write;
        assert_eq!(may("Everything"), Some(true));
        assert_eq!(may("Default Domain Policy"), Some(false));
    }
}

live! {
    async fn gpos_by_name_guid_and_prefix() {
        let directory = SRC.connect().await;
        let guid: Guid = "{A1B20006-0C4E-4D1A-8F00-5A3B7C9D0006}".parse().unwrap();
        for text in ["everything", "{a1b20006-0c4e-4d1a-8f00-5a3b7c9d0006}", "A1B20006"] {
            assert_eq!(directory.find_gpo(text).await.unwrap().guid, guid, "{text}");
        }
        let error = directory.find_gpo("duplicate name").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        let candidates = error.candidates().join("\n");
        assert!(candidates.contains("{A1B20007-") && candidates.contains("{A1B20008-"), "{error}: {candidates}");
        let error = directory.find_gpo("A1B2").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        let error = directory.find_gpo("Everythin").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.hint().unwrap().contains("Everything"), "{error}");
        let error = directory.find_gpo("*)(objectClass=*").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let error = directory.gpo(Guid::new_random()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }
}

live! {
    async fn principals_by_sid_and_every_name_form() {
        let directory = SRC.connect().await;
        let name = |text: &str| PrincipalQuery::Name(text.to_owned());
        let queries = [
            "SRC\\alice", "src\\ALICE", "src.test\\alice", "alice@src.test", "alice",
            "SRC\\Büro Nord", "büro nord@SRC.TEST", "Server Admins", "GG-Workstations", "DL-Files",
            "WS01", "WS01$", "SRC\\WS01$", "BUILTIN\\Administrators", "Authenticated Users",
            "SRC\\nobody", "DST\\alice", "alice@dst.test", "*)(objectClass=*", "SRC\\*",
        ]
        .map(name);
        let before = directory.searches();
        let found = directory.lookup(&queries).await.unwrap();
        assert_eq!(directory.searches() - before, 1);
        let principal = |index: usize| match &found[index] {
            Lookup::Found(principal) => principal.clone(),
            other => panic!("{:?}: {other:?}", queries[index]),
        };
        for index in 1..5 {
            assert_eq!(principal(index), principal(0));
        }
        let alice = principal(0);
        assert_eq!(alice.kind, PrincipalType::User);
        assert_eq!((alice.netbios_domain.as_str(), alice.dns_domain.as_str()), ("SRC", "src.test"));
        assert_eq!(alice.upn, "alice@src.test");
        assert_eq!(principal(5).sam_account_name, "Büro Nord");
        assert_eq!(principal(6), principal(5));
        let kinds: Vec<PrincipalType> = (5..13).map(|index| principal(index).kind).collect();
        use PrincipalType as T;
        assert_eq!(kinds, [T::GlobalGroup, T::GlobalGroup, T::UniversalGroup, T::GlobalGroup,
            T::LocalGroup, T::Computer, T::Computer, T::Computer]);
        assert_eq!(principal(13).sid.unwrap().to_string(), "S-1-5-32-544");
        assert_eq!(principal(14).sid.unwrap().to_string(), "S-1-5-11");
        assert_eq!(found[15], Lookup::NotFound);
        assert_eq!(found[16], Lookup::OtherDomain("DST".to_owned()));
        assert_eq!(found[17], Lookup::OtherDomain("dst.test".to_owned()));
        assert_eq!(found[18], Lookup::NotFound);
        assert_eq!(found[19], Lookup::NotFound);
        // By SID: the accounts again, a free RID, another domain, and one that needs no search.
        let domain = &directory.info().domain_sid;
        let sids = [
            PrincipalQuery::Sid(alice.sid.clone().unwrap()),
            PrincipalQuery::Sid(domain.with_rid(512)),
            PrincipalQuery::Sid(domain.with_rid(999_999)),
            PrincipalQuery::Sid("S-1-5-21-9-9-9-500".parse().unwrap()),
            PrincipalQuery::Sid("S-1-5-32-545".parse().unwrap()),
        ];
        let found = directory.lookup(&sids).await.unwrap();
        assert_eq!(found[0], Lookup::Found(alice));
        assert!(matches!(&found[1], Lookup::Found(p) if p.sam_account_name == "Domain Admins"));
        assert_eq!(found[2], Lookup::NotFound);
        assert_eq!(found[3], Lookup::OtherDomain("S-1-5-21-9-9-9".to_owned()));
        assert!(matches!(&found[4], Lookup::Found(p) if p.sam_account_name == "Users"));
        // 500 SIDs, 400 conditions to a search.
        let many: Vec<PrincipalQuery> =
            (500..1000).map(|rid| PrincipalQuery::Sid(domain.with_rid(rid))).collect();
        let before = directory.searches();
        let found = directory.lookup(&many).await.unwrap();
        assert_eq!(directory.searches() - before, 2);
        assert!(matches!(&found[0], Lookup::Found(p) if p.sam_account_name == "Administrator"));
    }
}

live! {
    async fn links_and_wmi_filters() {
        let directory = SRC.connect().await;
        let everything = directory.find_gpo("Everything").await.unwrap();
        let found = directory.links_of(everything.guid).await.unwrap();
        assert_eq!(found.links.len(), 2, "{:?}", found.links);
        assert!(found.messages.is_empty());
        let workstations = found.links.iter().find(|link| link.link.is_enforced()).unwrap();
        assert_eq!(workstations.som.kind, SomKind::OrganizationalUnit);
        let base = &directory.info().base;
        assert_eq!(workstations.som.dn, base.child("OU", "Workstations").unwrap());
        let kiosk = directory
            .som(&base.child("OU", "Workstations").unwrap().child("OU", "Kiosk").unwrap())
            .await
            .unwrap();
        assert_eq!(kiosk.gp_options, Some(1));
        let drives = directory.find_gpo("Drive Maps").await.unwrap();
        let found = directory.links_of(drives.guid).await.unwrap();
        assert!(found.links.iter().any(|link| link.som.kind == SomKind::Site));
        let registry = directory.find_gpo("Desktop Registry").await.unwrap();
        let found = directory.links_of(registry.guid).await.unwrap();
        assert!(found.links.iter().any(|link| link.som.kind == SomKind::Domain));
        let id: Guid = "{5E0B4F2A-8C1D-4B7E-9A60-2D3C4E5F6A01}".parse().unwrap();
        let WmiFilterLookup::Found(filter) = directory.wmi_filter(id).await.unwrap() else {
            panic!("{id}");
        };
        assert_eq!(filter.name, "Windows 10 and 11");
        assert!(directory.wmi_filters().await.unwrap().contains(&*filter));
        assert_eq!(
            directory.wmi_filter(Guid::new_random()).await.unwrap(),
            WmiFilterLookup::Absent
        );
        assert!(directory.som(&Dn::parse("CN=Users,DC=src,DC=test").unwrap()).await.is_err());
    }
}

live! {
    async fn a_silent_and_a_closed_connection_are_reported_as_such() {
        let address = loopback(99);
        let (task, control) = relay(&address).await;
        let settings = DirectorySettings {
            address: Some(address.parse().unwrap()),
            timeout: Duration::from_secs(10),
            ..SRC.settings()
        };
        let directory = Directory::connect(&settings).await.unwrap();
        directory.gpos().await.unwrap();
        control.send(()).await.unwrap();
        let error = directory.gpos().await.unwrap_err();
        assert!(error.to_string().contains("no answer within 10 s"), "{error}");
        control.send(()).await.unwrap();
        task.await.unwrap();
        // On the dead connection, repeatedly.
        for _ in 0..2 {
            let error = directory.gpos().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Connect);
            let shown = error.to_string();
            assert!(
                shown.contains("the server closed the connection") || shown.contains("reset by peer"),
                "{shown}"
            );
        }
    }
}

live! {
    async fn the_default_cache_is_the_one_of_the_right_realm() {
        // The default cache comes from the environment, so this case runs itself again with a collection of two caches there.
        const INNER: &str = "GPOCTL_TEST_INNER";
        if std::env::var_os(INNER).is_none() {
            let folder = tempfile::tempdir().unwrap();
            let collection = format!("DIR:{}", folder.path().display());
            for domain in [&SRC, &DST] {
                let cache = format!("DIR::{}/tkt{}", folder.path().display(), domain.key);
                kinit(&cache, domain);
            }
            let output = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "directory::the_default_cache_is_the_one_of_the_right_realm"])
                .arg("--include-ignored")
                .env("KRB5CCNAME", collection)
                .env(INNER, "1")
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && said.contains("1 passed"), "{said}");
            return;
        }
        for _ in 0..2 {
            for domain in [&SRC, &DST] {
                for principal in [None, Some(domain.var("USER"))] {
                    let settings = DirectorySettings {
                        identity: Identity::TicketCache { cache: None, principal },
                        ..domain.settings()
                    };
                    let directory = Directory::connect(&settings).await.unwrap();
                    assert_eq!(directory.info().bound_as, domain.var("USER"));
                }
            }
        }
    }
}
