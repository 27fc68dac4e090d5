"""HTTP: the API and whatever else is served by it, behind one front.

`app.make_app` joins the routes of `routes.ROUTES`; `connection` serves them in the process of the mail
servers, on the same event loop; `front` is what every request passes first.
"""
