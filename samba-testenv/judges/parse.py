import tempfile

from samba.gp_parse.gp_aas import GPAasParser
from samba.gp_parse.gp_csv import GPAuditCsvParser
from samba.gp_parse.gp_inf import GptTmplInfParser
from samba.gp_parse.gp_ini import GPFDeploy1IniParser, GPIniParser, GPScriptsIniParser, GPTIniParser
from samba.gp_parse.gp_pol import GPPolParser

PARSERS = {
    "gpttmpl.inf": GptTmplInfParser,
    "gpt.ini": GPTIniParser,
    "scripts.ini": GPScriptsIniParser,
    "psscripts.ini": GPScriptsIniParser,
    "fdeploy1.ini": GPFDeploy1IniParser,
    "fdeploy.ini": GPIniParser,
    "audit.csv": GPAuditCsvParser,
    "registry.pol": GPPolParser,
}

name = os.path.basename(sys.argv[-1].replace("\\", "/")).lower()
if name in PARSERS:
    parser = PARSERS[name]()
elif name.endswith(".aas"):
    parser = GPAasParser()
else:
    sys.exit(f"judge: Samba has no parser for {name!r}")
parser.parse(contents(sys.argv[1]))
with tempfile.NamedTemporaryFile() as file:
    parser.write_xml(file.name)
    sys.stdout.buffer.write(file.read())
