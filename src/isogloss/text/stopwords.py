"""Function words by language, written for Isogloss by grammatical class; small on purpose.

Only words that say next to nothing about a text's subject: articles, pronouns, prepositions, conjunctions, auxiliary
verbs, particles, and the pieces that an apostrophe leaves (``don't`` is cut into ``don`` and ``t``).
"""

from __future__ import annotations

from isogloss.errors import UsageError

_LISTS: dict[str, str] = {
    "en": """
a an the this that these those i me my mine myself we us our ours ourselves you your yours yourself yourselves he him
his himself she her hers herself it its itself they them their theirs themselves who whom whose which what about above
across after against along among around as at before behind below beneath beside between beyond by down during except
for from in inside into near of off on onto out outside over past since through throughout to toward towards under
until up upon with within without and or but nor so yet if because although though while whereas unless than whether
am is are was were be been being have has had having do does did doing will would shall should can could may might
must not no there here then when where why how also just only very too such own same other each both any all some s t
d m ll re ve don didn doesn isn aren wasn weren hasn haven hadn won wouldn shouldn couldn mustn
""",
    "de": """
der die das den dem des ein eine einen einem einer eines kein keine keinen keinem keiner keines ich mich mir mein
meine du dich dir dein deine er ihn ihm sein seine sie ihr ihre ihnen es wir uns unser unsere euch euer eure man sich
wer wen wem was welche welcher welches dieser diese dieses diesen diesem jener jene jenes an auf aus bei bis durch für
gegen hinter in mit nach neben ohne seit über um unter von vor während wegen zu zwischen am im ins beim vom zum zur
und oder aber denn sondern doch weil dass daß ob wenn als wie obwohl damit also bin bist ist sind seid war waren wäre
gewesen sein habe hast hat haben hatte hatten werde wird werden wurde wurden worden kann können konnte muss müssen
soll sollen will wollen darf dürfen mag nicht auch nur noch schon sehr so da dort hier
""",
    "fr": """
le la les l un une des du de d au aux ce cet cette ces c je j me m moi tu te t toi il elle on se s soi nous vous ils
elles lui leur leurs y en mon ma mes ton ta tes son sa ses notre nos votre vos qui que qu quoi dont où quel quelle
quels quelles à dans par pour sur sous avec sans entre vers chez contre depuis pendant avant après dès jusque et ou
mais donc or ni car si comme quand lorsque parce puisque ne n pas plus très aussi là ici suis es est sommes êtes sont
étais était étaient été être sera seront serait ai as a avons avez ont avais avait avaient eu avoir aura auront fait
""",
    "es": """
el la los las lo un una unos unas al del de yo me mi mis mí tú te ti tu tus él ella ello se si sí su sus nosotros nos
nuestro nuestra nuestros nuestras vosotros os vuestro vuestra ellos ellas les le usted ustedes este esta esto estos
estas ese esa eso esos esas aquel aquella aquello que qué quien quién cual cuál cuyo a ante bajo con contra desde
durante en entre hacia hasta para por según sin sobre tras y e o u pero sino ni aunque porque como cuando donde no más
muy también ya soy eres es somos son era eran fue fueron ser sido será he has ha hemos han había habían haber hay
estoy está están
""",
    "it": """
il lo la i gli le l un uno una di a da in con su per tra fra del dello della dei degli delle al allo alla ai agli alle
dal dallo dalla dai dagli dalle nel nello nella nei negli nelle sul sullo sulla sui sugli sulle io mi me tu ti te egli
lui lei si sé noi ci voi vi essi loro ne mio mia tuo tua suo sua suoi sue nostro nostra vostro vostra questo questa
questi queste quello quella quelli quelle che chi cui quale e ed o ma se perché come quando dove anche non più già
sono sei è siamo siete era erano essere stato stata fu ho hai ha abbiamo avete hanno aveva avevano avere
""",
    "pt": """
o a os as um uma uns umas de do da dos das em no na nos nas num numa ao à aos às por pelo pela pelos pelas para com
sem sob sobre entre até desde contra eu me mim tu te ti ele ela se si você vocês lhe lhes nós eles elas meu minha teu
tua seu sua seus suas nosso nossa este esta estes estas isto esse essa esses essas isso aquele aquela aquilo que quem
qual e ou mas nem se porque como quando onde não mais muito também já sou é somos são era eram foi foram ser sido será
estou está estão estava tem têm tinha ter há havia
""",
    "nl": """
de het een der den des dit dat deze die ik mij me mijn jij je jou jouw u uw hij hem zijn zij ze haar wij we ons onze
jullie hun hen men zich wie wat welke aan achter bij binnen boven door in met na naar naast om onder op over sinds te
tegen ten ter tot tussen uit van vanaf voor zonder en of maar want dus omdat als dan toen terwijl hoe waar er niet
geen ook nog al wel zo ben bent is was waren geweest worden wordt werd werden heb hebt heeft hebben had hadden kan
kunnen kon zal zullen zou zouden moet moeten mag mogen wil
""",
    "sv": """
en ett den det de dem denna detta dessa jag mig min mitt mina du dig din ditt dina han honom hans hon henne hennes man
sig sin sitt sina vi oss vår vårt våra ni er ert era deras vem vad vilken vilket vilka som av bakom efter för från
genom hos i innan inom med mellan mot om på sedan till under ur utan vid över och eller men att så därför medan när
där här inte ej också bara är var vara varit blir blev bli blivit har hade ha haft kan kunde ska skulle vill måste
""",
    "da": """
en et den det de dem denne dette disse jeg mig min mit mine du dig din dit dine han ham hans hun hende hendes man sig
sin sit sine vi os vores I jer jeres deres hvem hvad hvilken hvilket hvilke som der af bag efter for fra gennem hos i
inden med mellem mod om over på siden til under uden ved og eller men at så fordi mens når hvor her ikke også kun er
var være været bliver blev blive har havde have haft kan kunne skal skulle vil ville må
""",
    "no": """
en ei et den det de dem denne dette disse jeg meg min mitt mine du deg din ditt dine han ham hans hun henne hennes man
seg sin sitt sine vi oss vår vårt våre dere deres hvem hva hvilken hvilket hvilke som der av bak etter for fra gjennom
hos i innen med mellom mot om over på siden til under uten ved og eller men at så fordi mens når hvor her ikke også
bare er var være vært blir ble bli blitt har hadde ha hatt kan kunne skal skulle vil ville må
""",
    "ru": """
я меня мне мной мы нас нам нами ты тебя тебе тобой вы вас вам вами он его ему им нём она её ей ею ней оно они их ими
них себя себе собой мой моя моё мои твой твоя твоё твои свой своя своё свои наш наша наше наши ваш ваша ваше ваши этот
эта это эти тот та то те кто что который которая которое которые чей какой в во на с со к ко по за из от до у о об обо
под над при про без для через между перед и или а но да же ли бы не ни если чтобы потому так как когда где там тут
здесь быть был была было были есть буду будет будут
""",
}
STOP_WORD_LANGUAGES = tuple(sorted(_LISTS))
"""ISO 639-1 codes of the languages that have a list."""


def stop_words(language: str | None) -> frozenset[str]:
    """Return the function words of a language, lower case, with their accents.

    Raises
    ------
    UsageError
        There is no list for the language; the message names those that have one.

    Examples
    --------
    >>> "the" in stop_words("en"), "heat" in stop_words("en")
    (True, False)
    """
    if language not in _LISTS:
        named = "no language is named" if language is None else f"there is no list for {language!r}"
        raise UsageError(
            "stop words cannot be left out",
            f"{named}; lists exist for {', '.join(STOP_WORD_LANGUAGES)}",
            "name one of these languages, or keep the stop words",
        )
    return frozenset(_LISTS[language].lower().split())
