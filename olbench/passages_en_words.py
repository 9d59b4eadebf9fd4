"""Words for the slots of the English chronicle; a word may hold slots and alternatives itself."""


def _list(text: str) -> tuple[str, ...]:
    return tuple(" ".join(word.split()) for word in text.split(";") if word.strip())


SLOTS = {
    "given": _list("""Ada; Agnes; Albin; Alma; Amina; Anton; Astrid; Beatrix; Benedict; Bruno; Cecil; Clara; Conrad; Cora;
        Daria; Dorothy; Edgar; Edith; Elias; Elsa; Emil; Esther; Farid; Felix; Flora; Frances; Gideon; Greta; Gustav;
        Hannah; Harold; Hazel; Helena; Henrik; Hilda; Hugo; Ida; Ines; Iris; Isaac; Ivo; Jasper; Joan; Jonas; Josef;
        Judith; Kasimir; Katya; Lars; Leah; Leon; Lena; Louisa; Lucian; Magda; Malik; Marcus; Marta; Matilda; Maud;
        Milo; Mira; Nadia; Nora; Olaf; Olive; Oscar; Paula; Petra; Quentin; Rafael; Rosa; Rufus; Selma; Silas; Sofia;
        Stella; Tamar; Theo; Thora; Ulrich; Vera; Viola; Walter; Wanda; Yusuf; Zora"""),
    "surname": _list("""Abernathy; Albrecht; Ashdown; Baird; Barlow; Beckett; Bergmann; Birch; Bracken; Calloway; Carver; Chaudhry;
        Coldwell; Dahl; Delgado; Dunmore; Eastwick; Eriksen; Fairley; Falk; Fenwick; Ferreira; Fielding; Garrick;
        Gilmore; Haddad; Hallam; Hargreave; Hendry; Holloway; Ibarra; Ingram; Jansen; Kaminski; Keating; Kessler;
        Kimball; Larkin; Lindqvist; Lockhart; Lombardi; Marlowe; Mathers; Mendel; Moreau; Nakamura; Northcott; Novak;
        Oakley; Okafor; Osborne; Pascoe; Pemberton; Pickering; Quigley; Rahman; Ravel; Renshaw; Rosendahl; Salter;
        Sandoval; Sawyer; Selwyn; Sorensen; Tanaka; Thorne; Tolliver; Underhill; Vance; Varga; Vogel; Wainwright;
        Weller; Whitlock; Winslow; Yardley; Zeller"""),
    "town": _list("""Aldermere; Amberwick; Ashcombe; Barrowgate; Birkholm; Brightling; Caldmoor; Carrowdale; Coldharbour;
        Crickmouth; Dunmarsh; Eastlow; Elmstead; Fairhaven; Farthing Green; Fellbrook; Foxholt; Gannet Bay; Glenvale;
        Greyford; Hallowfield; Harrowby; Hawksmere; Hollin Bridge; Inglewood; Kestrel Point; Kingsmarsh; Larkhill;
        Lindenau; Longreach; Lower Tarn; Maplehurst; Marlow Heath; Merrowdown; Millbrook; Netherby; Northwold;
        Oakhanger; Oldcastle; Orchard Lees; Pellwyn; Penrow; Quarry Hill; Ravensbeck; Redcliff; Rookhope; Rushmere;
        Saltfleet; Sandwick; Sedgeley; Silverdale; Stonewick; Tarnside; Thistledown; Upper Wray; Wexcombe; Whitmoor;
        Winterbourne; Woolscar; Yewdale"""),
    "near_town": ("in {town}", "around {town}", "as far away as {town}", "from {town} to {town}"),
    "river": _list("""the Alder; the Brane; the Carrow; the Dunne; the Esk Water; the Fallow; the Greave; the Harrow; the Ister;
        the Kell; the Lode; the Marrow; the Ouzel; the Pell; the Rill; the Sallow; the Tarn; the Ulver; the Wend"""),
    "trade": _list("""apothecary; architect; baker; bargeman; basket maker; beekeeper; bell founder; blacksmith; boatbuilder;
        bookbinder; bookseller; botanist; brewer; bricklayer; butcher; cabinetmaker; candle maker; carpenter; carter;
        cartographer; cheesemonger; clockmaker; cobbler; cooper; coppersmith; dairyman; dentist; drover; dyer;
        engraver; ferryman; fiddler; fishmonger; forester; gardener; glassblower; glazier; grocer; harbourmaster;
        innkeeper; ironmonger; joiner; lamplighter; librarian; locksmith; mason; midwife; miller; milliner; musician;
        notary; nurse; organist; painter; photographer; piano tuner; plasterer; plumber; porter; postmaster; potter;
        printer; ropemaker; saddler; sailmaker; schoolteacher; sculptor; seamstress; sexton; shepherd; shipwright;
        signalman; stationmaster; surveyor; tailor; tanner; thatcher; tinsmith; typesetter; upholsterer; watchmaker;
        weaver; wheelwright"""),
    "name": ("{given} {surname}", "old {given} {surname}", "the {trade}", "{given} {surname}"),
    "person": (
        "{given} {surname}",
        "{given} {surname} of {town}",
        "{given} {surname}",
        "old {given} {surname}",
        "the {trade} {given} {surname}",
        "the {trade}",
        "the {trade} from {town}",
        "the {trade}'s [son|daughter|sister|nephew|aunt|brother|niece]",
        "[young|the elder|the younger] {given} {surname}",
    ),
    "month": _list(
        "January; February; March; April; May; June; July; August; September; October; November; December"
    ),
    "weekday": _list("Monday; Tuesday; Wednesday; Thursday; Friday; Saturday; Sunday"),
    "season": ("spring", "summer", "autumn", "winter"),
    "year": tuple(str(year) for year in range(1788, 1996)),
    "day": _list("""first; second; third; fourth; fifth; sixth; seventh; eighth; ninth; tenth; eleventh; twelfth; thirteenth;
        fourteenth; fifteenth; sixteenth; seventeenth; eighteenth; nineteenth; twentieth; twenty-first;
        twenty-second; twenty-third; twenty-fourth; twenty-fifth; twenty-sixth; twenty-seventh; twenty-eighth"""),
    "date": ("the {day} of {month}", "{weekday} the {day}", "the {day} of {month} {year}"),
    "feast": _list("""the harvest fair; the Easter market; the midsummer dance; the spring market; the regatta; the school concert;
        the autumn fair; the sheep sale; the potato harvest; the lantern parade; the choir festival; the apple harvest;
        the kite festival; the flower show; the boat race; the founders' dinner"""),
    "when": (
        "On {date}",
        "One {weekday} in {month}",
        "In the {season} of {year}",
        "Early in {month}",
        "Late in {month}",
        "Toward the end of {month}",
        "On a {weekday} morning in {season}",
        "One {season} evening",
        "Shortly before {feast}",
        "A week after {feast}",
        "In {month} {year}",
        "During the dry weeks of {month}",
        "Around {clock} on the day of {feast}",
    ),
    "when_low": (
        "on {date}",
        "one {weekday} in {month}",
        "in the {season} of {year}",
        "early in {month}",
        "shortly before {feast}",
        "a week after {feast}",
        "in {month} {year}",
    ),
    "when_next": (
        "next {weekday}",
        "on the {day} of {month}",
        "in time for {feast}",
        "early in {month}",
        "after {feast}",
        "as soon as {building} is dry",
    ),
    "clock": _list("""six in the morning; half past seven; a quarter to eight; ten minutes past nine; noon; one o'clock;
        twenty to three; four in the afternoon; five past five; half past six; eight in the evening; a quarter to ten;
        eleven at night; midnight; dawn; dusk"""),
    "few": _list("two; three; four; five; six; seven; eight; nine"),
    "few_up": _list("Two; Three; Four; Five; Six; Seven; Eight"),
    "num": _list("""eleven; twelve; thirteen; fourteen; fifteen; sixteen; seventeen; eighteen; nineteen; twenty; twenty-two;
        twenty-six; thirty; thirty-one; thirty-eight; forty; forty-four; fifty; fifty-seven; sixty; seventy; eighty;
        ninety"""),
    "span": _list("""a week; ten days; a fortnight; three months; half a year; the better part of a year; two winters;
        four summers; most of the spring; six weeks; a whole season; eleven years; nearly a decade; twenty-three days;
        a month and a half; several years; the whole of {month}; five years; a rainy fortnight; two long evenings"""),
    "later": _list("""a week later; ten days later; three months later; half a year later; two winters later; an hour later;
        six weeks later; a fortnight later; two days later; years later; on {date}; in time for {feast}"""),
    "distance": _list("""two miles; eleven leagues; half a day's walk; thirty furlongs; nine miles; a morning's ride; fourteen miles;
        an hour by cart; six miles; twenty leagues; some four miles; seventeen miles"""),
    "miles": _list(
        "two miles; nine miles; six miles; fourteen miles; eleven leagues; seventeen miles; half a day"
    ),
    "length": _list("""two miles; ninety yards; half a mile; three furlongs; six hundred paces; a mile and a quarter; forty yards;
        eleven furlongs; a mile; eighty paces"""),
    "sum": _list("""four pounds; nine crowns; eleven shillings; sixty marks; two hundred francs; a guinea; seventy crowns;
        thirty pence; fifteen florins; half a sovereign; eighteen kroner; a year's rent; forty ducats; six guilders;
        three silver dollars; ninety lire; twelve pounds and ten pence"""),
    "dry": _list("""barley; beans; buckwheat; charcoal; chestnuts; chalk; coal; coffee; dried apples; dried peas; flour; gravel;
        hazelnuts; hops; lentils; lime; nails; oats; onions; potatoes; rice; rye; salt; sand; seed corn; sugar; tea;
        turnips; walnuts; wheat; wool; almonds; raisins; sawdust; linseed; clay; cork; feathers"""),
    "liquid": _list("""cider; ink; lamp oil; linseed oil; honey; milk; molasses; olive oil; pitch; plum brandy; rainwater; syrup;
        tar; turpentine; varnish; vinegar; wine; apple juice; beer; buttermilk; whitewash; spring water"""),
    "load": (
        "{few} [sacks|bushels|crates|bags|cartloads] of {dry}",
        "{num} [sacks|bushels|crates|bags|boxes] of {dry}",
        "{few} [barrels|casks|jugs|cans|kegs] of {liquid}",
        "{num} [bottles|jars|flasks] of {liquid}",
        "a [sack|crate|bag|basket|barrow] of {dry}",
    ),
    "thing": _list("""a brass lantern; an oak chest; a cracked violin; a box of lenses; a copper kettle; an iron anchor;
        a folding chair; a pair of skates; a silver thimble; a map of the northern valleys; a wicker basket;
        an oil lamp; a grandfather clock; a bundle of letters; a leather satchel; a blue enamel jug; a tin whistle;
        a chess set; a broken barometer; a wool blanket; a spinning wheel; a painted screen; a set of chisels;
        a walnut writing desk; a stuffed owl; a music box; a straw hat; a birdcage; a fishing rod;
        a globe with old borders; a porcelain teapot; a pocket compass; a rusty bicycle; a coil of rope;
        a wooden sledge; a pile of sheet music; a paper fan; a marble bust; a small telescope; a ship in a bottle;
        a ledger without covers; an umbrella with a horn handle; a bag of foreign coins; a bread knife;
        a pewter tankard; a carved walking stick; a camera with torn bellows; a typewriter; a rocking horse;
        a butter churn; a stone mortar; a magnifying glass; an album of pressed flowers; a hand-drawn almanac;
        a velvet cushion; a lace tablecloth; a post horn; a sewing machine; a rain gauge; a weather vane;
        a garden gate; a milking stool; a feather bed; a silk kite; a mirror in a gilt frame; a ladder with nine rungs;
        a lead inkwell; a puppet theatre; a snow globe; a jar of buttons; a pair of snowshoes; a toolbox; a cradle;
        a wheelbarrow; a mandolin; a sundial; an accordion; an hourglass; a wax seal; a cast-iron pan;
        a quilt in nine colours; a school bench; a signal lamp; a diving helmet; a set of jeweller's scales;
        a tea chest; a trunk without a key; a hat with a green feather"""),
    "fixture": _list("""the church clock; the mill wheel; the harbour crane; the lighthouse stairs; the library roof;
        the schoolroom stove; the market scales; the town pump; the organ bellows; the weighbridge; the lock gates;
        the signal box; the sluice; the bandstand; the drying sheds; the stone bridge; the bakery chimney;
        the village oven; the observatory dome; the theatre curtain; the tannery drains; the post office counter;
        the old windmill; the rope ferry; the station lamps; the footbridge; the well house; the ice cellar;
        the orchard wall; the printing press; the bell frame; the cattle gate; the water tower; the slipway;
        the tithe barn; the drinking fountain; the bathing huts; the glasshouse; the tram shelter; the sea wall"""),
    "building": _list("""the town hall; the library; the customs house; the grain exchange; the museum; the old theatre;
        the post office; the infirmary; the railway station; the lighthouse; the observatory; the boathouse;
        the brewery; the concert hall; the schoolhouse; the inn; the toll house; the foundry; the paper mill;
        the glassworks; the chapel; the corn mill; the fire station; the dairy; the print shop; the bathhouse;
        the courthouse; the weaving shed; the almshouse; the granary; the bookshop; the tea room; the orangery;
        the guesthouse; the covered market; the archive; the harbour office; the telegraph office; the pottery;
        the riding school"""),
    "shop": _list("""bakery; bookshop; pharmacy; barber's shop; hardware store; laundry; print shop; forge; tea room; pawnshop;
        dye works; coffee house; dairy; hat shop; seed shop"""),
    "venue": _list("""dance hall; reading room; swimming bath; cheese store; puppet theatre; tea garden; school for sailors;
        museum of clocks; night shelter; seed library; skating rink; mushroom farm; painter's studio; repair shop"""),
    "place": _list("""by the ferry landing; behind the town hall; under the railway arches; near the lock gates;
        on the chapel steps; in the reading room; beside the mill pond; at the edge of the common;
        in the attic of the inn; along the towpath; at the foot of the hill; on the north pier;
        beneath the lime trees; in the back room of the bakery; in front of the museum; across from the station;
        in the yard of the brewery; at the crossroads; on the village green; between the two wells;
        beyond the orchard wall; at the end of the long jetty; inside the covered market; outside the post office;
        under the clock tower; near the tennis courts; beside the canal; on the island; in the walled garden;
        above the quarry; next to the smithy; in the shade of the old walnut tree; at the bend in the river;
        on the courthouse stairs; near the bandstand; on the flat roof of the school; behind the greenhouse"""),
    "plot": _list("""behind the town hall; beside the mill pond; at the edge of the common; along the towpath;
        at the foot of the hill; beneath the lime trees; in the yard of the brewery; beyond the orchard wall;
        beside the canal; on the island; in the walled garden; above the quarry; next to the smithy;
        at the bend in the river; on the flat roof of the school; behind the greenhouse; on a narrow terrace;
        between the vineyard and the road; around the old well; in {num} wooden tubs"""),
    "weather_then": _list("""a thin rain was falling; the fog was lifting; the wind blew from the east; the air smelled of hay;
        the bells were ringing; hail rattled on the roofs; the heat shimmered over the fields; clouds hid the hills;
        thunder rolled somewhere beyond the ridge; the moon was almost full; the tide was going out;
        sleet blew in from the coast; dust hung over the road; the last snow was melting; the stars came out;
        the gutters overflowed; mist clung to the water; the market was closing; the street lamps were being lit"""),
    "weather": _list("""the puddles froze at night; the river lay flat as glass; the first swallows returned early;
        the roads were deep in mud; frost covered the hedges until noon; the sun broke through only once;
        the leaves turned within a week; the tides were unusually low; it was too hot to sleep;
        icicles hung from every eave; the evenings were still; a rainbow stood over the valley for an hour;
        storks nested on three chimneys; the wells sank by a yard; the hay had to be turned by lamplight"""),
    "weather_habit": _list("""the fog comes in at four; it rains on market days; the snow lies until May; the wind never drops;
        the swallows stay late; the sun sets behind the gasworks; summer lasts three weeks; the tide floods the square"""),
    "weather_noun": _list("""its hailstorms; its late snow; the great fog; a comet; the swarms of dragonflies; an earthquake nobody felt;
        its long drought; the northern lights; the flood; its blossom; the price of coal; red sunsets; its plague of wasps"""),
    "result": _list("""the market opened an hour late; everyone went home early; the work had to wait until spring;
        supper was cold; the bells were rung twice; the neighbours sent soup; the shutters stayed closed;
        the train left half empty; nobody slept much; the matter was settled with a handshake;
        the bill was never paid; a second meeting was called; the whole street turned out to watch;
        the school closed for the day; the price of bread went up a little; the accounts had to be opened again;
        {person} wrote a poem about it; the band played on; {person} took all the credit; the ferry ran free of charge;
        the orchards suffered; the innkeepers were pleased; {person} sent {load} to {town}"""),
    "mishap": _list("""the shelf came down; the horse refused to move; the lamp went out; the bill arrived; the bridge swayed;
        the wrong parcel was opened; the milk boiled over; the train left without the luggage; the roof began to leak;
        the choir lost its place; the fuse blew; the goat got into the vestry; the ink froze; the boat ran aground;
        the mayor fell asleep; the key broke in the lock; the fish turned out to be painted; the cake collapsed;
        the clock struck thirteen; the curtain stuck halfway; a pigeon flew in; {animal} blocked the doorway;
        {person} knocked at the window; a wheel came off; the telegram proved to be a year old"""),
    "saying": _list("""Nothing travels faster than a rumour; It will look better from a distance; We have seen worse winters;
        One ought to measure before one laughs; A good ladder needs no praise; That is what string is for;
        Somebody should write this down; The river always has the last word; Patience is cheaper than glue;
        There are no small leaks; Never trust a quiet kettle; Every map is a promise; Two lamps are better than one;
        I was told it could not happen; The second try is the honest one; Bread first and speeches later;
        Good rope is never dear; You cannot hurry cheese; A door is only as good as its hinge;
        It was like that when I came; The dog knew before any of us; Tomorrow we shall do it properly;
        A borrowed tool works twice as hard; There is always room for one more chair; Nobody reads the notice board;
        The wind has no respect for hats; An empty shelf is an invitation; I have had better Tuesdays"""),
    "oddity": _list("""the church clock ran backward in damp weather; the well tasted of oranges; the swans avoided the north bank;
        the piano in the inn played by itself; the snow melted first on the graveyard wall;
        the echo at the quarry came back late; the cats gathered at the weighbridge; the bread always rose higher on Fridays;
        every second lamp flickered; the tramlines hummed before rain; the tower leaned a little less each year;
        the millpond never froze; the compass needle turned at the crossroads; all the doors opened outward;
        the bells sounded flat in {month}; the milk never turned sour in thunder; {animal} visited {building} each {season};
        the numbers on the houses skipped from nine to forty"""),
    "topic": _list("""the migration of geese; old harbour maps; the casting of bells; alpine mosses; river tides;
        medieval bridges; the history of salt; clouds and their names; the grammar of a forgotten dialect; beetles;
        sundials; sailors' knots; the price of grain; volcanic rocks; folk songs; early photography; coloured glass;
        railway timetables; comets; the habits of bees; paper making; wild roses; dry stone walls; handwriting;
        shipwrecks; dragonflies; weights and measures; lighthouses; orchids; the origin of chess; fog signals;
        lost alphabets; the colour blue; cheese; the tides of the moon; tree rings; windmills; owls; ice ages"""),
    "picture": _list("""the planets in their orbits; a whale and its bones; the coast before the storm; an imaginary island;
        the bridges of {town}; a windmill in cross-section; the growth of an oak; {few} kinds of knot; {animal};
        a plan of {building}; the {trade} at work; a ship under full sail; the phases of the moon; {river} at dawn"""),
    "food": _list("""barley soup with leeks; smoked trout; rye bread and butter; baked apples; mutton stew; pancakes with plums;
        lentils and bacon; pickled herring; potato dumplings; roast chestnuts; mushroom pie; cold chicken; onion tart;
        rice pudding; pea soup; toasted cheese; gingerbread; fried perch; plum cake; a pot of beans; boiled eggs;
        cabbage rolls; seed cake; cherry dumplings; porridge with honey; goose with red cabbage; pumpkin soup;
        fig jam on toast; fish stew; walnut bread; carrot salad; stuffed peppers"""),
    "animal": _list("""a grey heron; a white swan; a young otter; a lame fox; a white owl; an old badger; a lost kingfisher;
        a runaway goat; a stray sheepdog; a hedgehog; a roe deer; a red squirrel; a tame jackdaw; a piebald horse;
        a swarm of bees; a stork; a grey seal; a tortoise; a ginger cat; a parrot; a very large toad; a wild goose;
        a family of ducks; an escaped peacock; a donkey; a barn owl; a bad-tempered rooster; a three-legged dog"""),
    "follower": _list("""A grey heron; A lame fox; A runaway goat; A stray sheepdog; A tame jackdaw; A swarm of bees; A ginger cat;
        An escaped peacock; A donkey; A three-legged dog; A wild goose; A brass band; A light rain; A smell of smoke;
        A thick fog; A flock of starlings; An unseen fiddler; A small brown dog"""),
    "plant": _list("""plums; hollyhocks; sweet peas; gooseberries; leeks; tulips; asparagus; lavender; quinces; rhubarb;
        runner beans; pears; dahlias; strawberries; mint; pumpkins; sunflowers; blackcurrants; peonies; cucumbers;
        wild garlic; chrysanthemums; apricots; radishes; marigolds; spinach; artichokes; cherries; sage; melons"""),
    "instrument": _list("""cello; flute; accordion; oboe; organ; trumpet; harp; viola; clarinet; double bass; mandolin; French horn;
        piano; hurdy-gurdy; violin; bassoon; guitar; zither; tuba; dulcimer"""),
}

# Words of one length, each of as many tokens as the others in every tokenizer tried: openings do not differ.
OPENING = _list("""along; alpha; among; angel; angle; apple; apply; arrow; audio; based; beans; bench; birds; birth; black;
    blank; block; board; books; boost; boxes; brand; bread; break; brief; brush; burst; cards; catch; chain;
    chair; chart; chief; clean; clear; clock; close; cloud; color; count; court; cover; craft; cross; cycle;
    delay; delta; dense; depth; digit; doors; early; earth; empty; entry; equal; event; field; final; first;
    flags; flash; flies; float; floor; fluid; forum; frame; front; fruit; games; glass; grade; grand; grant;
    graph; grass; grave; green; group; guard; guide; heads; heart; horse; hours; house; human; ideal; image;
    inner; inter; joint; label; lands; large; later; layer; learn; lease; leave; legal; level; light; lines;
    links; lists; local; magic; major; maker; marks; match; media; merge; minor; money; month; motor; mount;
    mouse; mouth; movie; music; offer; often; older; order; organ; owner; pages; panel; paper; parts; party;
    paste; patch; paths; pause; phase; phone; photo; piece; pixel; place; plain; plane; plant; plate; plays;
    point; ports; posts; power; press; price; prime; print; proof; quest; quick; quiet; quote; radio; raise;
    range; ratio; ready; reply; right; river; roads; robot; rooms; roots; rough; round; route; rules; saved;
    scale; scene; score; shape; share; sharp; sheet; shell; shine; ships; shore; short; shots; sites; skill;
    sleep; slice; small; solid; sound; south; space; speed; split; stack; staff; stage; stand; stars; start;
    state; steps; stick; still; stock; stone; store; storm; story; strip; suite; super; table; tasks; tests;
    third; three; thumb; timer; times; title; tools; topic; torch; total; touch; track; tract; trade; train;
    under; union; units; visit; voice; walls; watch; water; wheel; white; width; words; world; write; yards;
    years""")
