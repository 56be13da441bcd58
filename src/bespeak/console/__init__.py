"""The dashboard and the demo's storefront: pages made on the server, no build step, no script inside a page.

app        the console's routes              storefront  the simulated shop's routes
desk       what every page works with        answers     responses and their security headers
guard      sign-in, forms, errors            rendering   templates and how values read
signing    the sign-in pages                 plots       bars and intervals as SVG
overview, events, people, tryout, models, experiments, policies, offers     one page each
proof      what the demo earned, beside the truth           shop_settings  what its project says
"""
